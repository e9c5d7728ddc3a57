import type { DeploymentsSource } from '../../config.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { isFrom } from '../../model/event.ts';
import type { PulledEvent } from '../../store/plans.ts';

/** The repository that specs come from. */
export type SpecHome = Extract<DeploymentsSource, { kind: 'github' }>;

/** Why nothing is said on a pull request; undefined when something may be. `candidates`: the specs of its repository. */
export type WhyNoPlan = (
  pull: PulledEvent,
  candidates: readonly LoadedSpec[],
) => string | undefined;

export function createWhyNoPlan(deps: {
  home: SpecHome | undefined;
  /** Whether there are credentials to say it with. */
  canTell: boolean;
}): WhyNoPlan {
  return (pull, candidates) => {
    if (!deps.canTell) return 'without credentials for GitHub nothing is said on pull requests';
    if (changesSpecs(pull, deps.home) || candidates.some(({ spec }) => spec.plan)) return undefined;
    return `no deployment spec of ${pull.repository} says plan: true`;
  };
}

/** Whether what it is merged into is where specs are read. */
export function changesSpecs(pull: PulledEvent, home: SpecHome | undefined): home is SpecHome {
  if (home === undefined || !isFrom(pull, home.repository)) return false;
  const branch = home.ref?.replace(/^refs\/heads\//, '') ?? pull.defaultBranch;
  return branch === pull.base;
}
