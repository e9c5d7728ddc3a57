import type { Config } from '../config.ts';
import { KILL_GRACE_MS } from '../steps/run-program.ts';

/**
 * How long a step that is to end may take over it, in milliseconds. Where another replica may take its run up, it has to be
 * gone before: what cannot reach the database ends its steps after two thirds of the lease.
 */
export function killGrace({
  databaseUrl,
  leaseMs,
}: Pick<Config, 'databaseUrl' | 'leaseMs'>): number {
  return databaseUrl === undefined ? KILL_GRACE_MS : Math.min(KILL_GRACE_MS, leaseMs / 4);
}
