import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { Config } from '../config.ts';
import { createReconcile } from '../controller/maintenance/reconcile.ts';
import { createRecover } from '../controller/maintenance/recover.ts';
import { startCronJobs } from '../controller/maintenance/cron-jobs.ts';
import { createLeader, type Leader } from '../controller/maintenance/leader.ts';
import type { Mirrors } from '../git/mirrors.ts';
import type { GitHub } from '../github/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';

/**
 * Looks for pushes that no webhook told of: in GitHub's list of deliveries, and in the branches themselves. One process
 * of several does both. Undefined when the configuration leaves nothing to look at.
 */
export function lookForMissed(deps: {
  config: Config;
  store: Store;
  github: GitHub;
  mirrors: Mirrors;
  catalog: Catalog;
  /** This process's name among those that share the store. */
  holder: string;
  clock: Clock;
  logger: Logger;
}): Leader | undefined {
  const { config, store, logger } = deps;
  if (config.github.auth === undefined && config.reconcileIntervalMs === 0) return undefined;
  const recover = createRecover({
    ...deps,
    publicUrl: config.publicUrl,
    secrets: config.webhookSecrets,
  });
  const reconcile = createReconcile({ ...deps, intervalMs: config.reconcileIntervalMs });
  return createLeader({
    ...deps,
    name: 'missed pushes',
    leases: store.leases,
    leaseMs: config.leaseMs,
    async work(held) {
      const recovering =
        config.github.auth === undefined
          ? []
          : [{ name: 'recover', cron: everyFiveMinutes(), atStart: true, act: recover }];
      const scheduled = startCronJobs(recovering, logger, held);
      if (config.reconcileIntervalMs > 0) await reconcile.run(held);
      if (!held.aborted) await once(held, 'abort');
      await scheduled();
    },
  });
}

/** At a time of this process's own, so that not every Mainsheet asks GitHub in the same second. */
function everyFiveMinutes(): string {
  return `${randomInt(60)} ${randomInt(5)}-59/5 * * * *`;
}
