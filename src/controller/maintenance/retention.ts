import type { Logger } from '../../lib/logger.ts';
import type { Checkouts } from '../../git/checkouts.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { PlanFiles } from '../../steps/plan-files.ts';
import type { Store } from '../../store/index.ts';
import { SPEC_LANES } from './spec-source.ts';

/** Removes what no spec and no waiting or running run needs any more. */
export type Tidy = () => Promise<void>;

/**
 * Work trees and mirrors are only copies of what GitHub has, so they go as soon as no spec names them. Nothing is removed
 * while the specs on disk are broken: a spec that cannot be read may still need its work tree.
 */
export function createTidy(deps: {
  store: Store;
  catalog: Catalog;
  mirrors: Mirrors;
  checkouts: Checkouts;
  plans: Pick<PlanFiles, 'retain'>;
  /** The repository that specs come from, if any. */
  specRepository: string | undefined;
  logger: Logger;
}): Tidy {
  return async () => {
    const { specs, stale } = deps.catalog.current();
    if (stale) return;
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
    await deps.plans.retain(new Set(active.map(({ id }) => id)));
    await deps.checkouts.retain(lanes);
    await deps.mirrors.retain(repositories);
    await deps.store.branchHeads.retain(repositories);
    deps.logger.debug({ lanes: lanes.size, repositories: repositories.size }, 'tidied');
  };
}
