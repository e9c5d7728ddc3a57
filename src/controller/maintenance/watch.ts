import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Leases } from '../../store/leases.ts';
import { keepClaim } from '../keep-claim.ts';

/** Does what one process is enough for, for as long as no other one does it. */
export interface Watch {
  /** Works, or waits until the one that works has stopped or died, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Of several processes one keeps the watch `name`: it has the lease, renews it while `work` goes on, and gives it back at
 * the end. When it dies another one takes over after its lease. `work` goes on until its signal aborts.
 */
export function createWatch(deps: {
  name: string;
  leases: Leases;
  /** Names this process among others. */
  owner: string;
  leaseMs: number;
  work: (signal: AbortSignal) => Promise<void>;
  clock: Clock;
  logger: Logger;
}): Watch {
  const { name, leases, owner, leaseMs, clock, logger } = deps;
  const take = (until: number) => leases.take(name, owner, until, clock.now());

  async function turn(signal: AbortSignal): Promise<void> {
    if (!(await take(clock.now() + leaseMs))) return;
    logger.info({ watch: name }, 'watch taken');
    try {
      await keepClaim({ clock, leaseMs, renew: take, signal }, deps.work);
    } finally {
      await leases.release(name, owner);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await turn(signal);
        } catch (error) {
          logger.error({ watch: name, error: describeError(error) }, 'watch interrupted');
        }
        if (!signal.aborted) await clock.sleep(leaseMs / 3, signal);
      }
    },
  };
}
