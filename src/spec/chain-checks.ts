import type { LoadedSpec } from '../model/deployment-spec.ts';
import { sameRepository } from '../model/event.ts';
import { didYouMean, problemAt, type SpecProblem } from './problem.ts';

/** Chains that can never work: those that come back to where they began, and those between repositories. */
export function chainProblems(specs: readonly LoadedSpec[]): SpecProblem[] {
  const byName = new Map(specs.map((loaded) => [loaded.spec.name, loaded]));
  return [...cycles(specs, byName), ...betweenRepositories(specs, byName)];
}

/** Triggers of specs that nothing will ever start. The other may stand in a file that was not given, and so this is no problem. */
export function unknownChains(specs: readonly LoadedSpec[]): SpecProblem[] {
  const known = specs.map(({ spec }) => spec.name);
  return specs.flatMap((loaded) =>
    startersOf(loaded)
      .filter((name) => !known.includes(name))
      .map((name) => {
        const message = `${loaded.spec.name} is started by the spec ${name}, which no file has`;
        const hint = didYouMean(name, known) ?? 'write it, or name another in on.deployment.spec';
        return problemAt(loaded, message, hint);
      }),
  );
}

/** Each cycle once, at the first of its specs. */
function cycles(specs: readonly LoadedSpec[], byName: ReadonlyMap<string, LoadedSpec>) {
  const over = new Set<string>();
  const problems: SpecProblem[] = [];
  for (const loaded of specs) {
    const cycle = over.has(loaded.spec.name) ? undefined : cycleThrough(loaded, byName);
    if (cycle === undefined) continue;
    for (const name of cycle) over.add(name);
    const way = [...cycle, loaded.spec.name].join(' → ');
    const message = `the chain comes back to where it began: ${way}`;
    problems.push(problemAt(loaded, message, 'take on.deployment out of one of them'));
  }
  return problems;
}

/** The specs on the shortest way from a spec back to itself, in the order in which they start each other. */
function cycleThrough(
  { spec: { name: start } }: LoadedSpec,
  byName: ReadonlyMap<string, LoadedSpec>,
): string[] | undefined {
  const ways: string[][] = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    const loaded = byName.get(way[0] ?? '');
    for (const before of loaded === undefined ? [] : startersOf(loaded)) {
      if (before === start) return [start, ...way.slice(0, -1)];
      if (seen.has(before)) continue;
      seen.add(before);
      ways.push([before, ...way]);
    }
  }
  return undefined;
}

function betweenRepositories(
  specs: readonly LoadedSpec[],
  byName: ReadonlyMap<string, LoadedSpec>,
): SpecProblem[] {
  return specs.flatMap((loaded) =>
    startersOf(loaded).flatMap((name) => {
      const { repository } = byName.get(name)?.spec ?? loaded.spec;
      if (sameRepository(repository, loaded.spec.repository)) return [];
      const message = `${loaded.spec.name} is started by ${name}, which deploys ${repository}: its revisions are none of ${loaded.spec.repository}`;
      const hint = 'a chain has one repository; tell another by notify with dispatch or webhook';
      return [problemAt(loaded, message, hint)];
    }),
  );
}

function startersOf({ spec }: LoadedSpec): string[] {
  return (spec.on.deployments ?? []).map((trigger) => trigger.spec);
}
