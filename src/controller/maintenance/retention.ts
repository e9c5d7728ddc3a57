import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Checkouts } from '../../git/checkouts.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { PlanFiles } from '../../steps/plan-files.ts';
import type { Store } from '../../store/index.ts';
import { SPEC_LANES } from './spec-source.ts';

/** Another replica, of which the specs name a repository, says so once an hour. */
const UNNAMED_MS = 3 * 60 * 60_000;

/** Removes what no spec and no waiting or running run needs any more. */
export type Tidy = () => Promise<void>;

/**
 * Work trees and mirrors are only copies of what GitHub has, so they go as soon as no spec names them. Nothing is removed
 * while the specs on disk are broken: a spec that cannot be read may still need its work tree. Where branches stand, all replicas
 * remember together, and their specs may differ for a while.
 */
export function createTidy(deps: {
  store: Store;
  catalog: Catalog;
  mirrors: Mirrors;
  checkouts: Checkouts;
  plans: Pick<PlanFiles, 'retain'>;
  /** The repository that specs come from, if any. */
  specRepository: string | undefined;
  clock: Clock;
  logger: Logger;
}): Tidy {
  const { branchHeads } = deps.store;
  return async () => {
    const { specs, stale } = deps.catalog.current();
    const active = await deps.store.runs.allActive();
    const lanes = new Set<string>(SPEC_LANES);
    const repositories = new Set<string>();
    if (deps.specRepository !== undefined) repositories.add(deps.specRepository);
    for (const { spec } of specs) {
      lanes.add(spec.concurrency.lane);
      repositories.add(spec.repository);
    }
    for (const run of active) {
      lanes.add(run.lane);
      repositories.add(run.repository);
    }
    for (const repository of repositories) {
      const [current] = await deps.store.repositories.namesOf(repository);
      repositories.add(current);
    }
    await branchHeads.keep(repositories);
    if (stale) return;
    await deps.plans.retain(new Set(active.map(({ id }) => id)));
    await deps.checkouts.retain(lanes);
    await deps.mirrors.retain(repositories);
    const now = deps.clock.now();
    await branchHeads.retain(repositories, now - UNNAMED_MS, now);
    deps.logger.debug({ lanes: lanes.size, repositories: repositories.size }, 'tidied');
  };
}
