import { toEntry } from '../../callbacks/index.ts';
import type { SpecCheckCallback } from '../../callbacks/spec-check.ts';
import type { Clock } from '../../lib/clock.ts';
import { isSpecPath } from '../../spec/files.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import type { Store } from '../../store/index.ts';
import { annotationOf, count, MOST_ANNOTATIONS, problemLines } from '../spec-problems.ts';

/** Says on a commit of the repository with the specs what is wrong with them, or that nothing is any more. */
export type TellSpecs = (sha: string, problems: readonly SpecProblem[]) => Promise<void>;

/**
 * Puts a check run into the outbox for each commit that has problems, and for the first without any after it. What was said last
 * stands in the outbox, so that a restart says nothing twice. Only an App makes check runs.
 */
export function createTellSpecs(deps: {
  store: Pick<Store, 'lazily'>;
  repository: string;
  /** Where the specs are, below the repository's root; empty for the root. */
  path: string;
  feedback: 'app' | 'token' | undefined;
  clock: Clock;
}): TellSpecs {
  const { store, repository, clock } = deps;
  // As what the outbox knows these: they belong to no run.
  const key = `specs:${repository.toLowerCase()}`;

  return async (sha, problems) => {
    if (deps.feedback !== 'app') return;
    const check = checkOf(deps, sha, problems);
    await store.lazily(async ({ outbox }) => {
      const last = (await outbox.ofRun(key)).at(-1)?.callback as SpecCheckCallback | undefined;
      const isSaid = last?.sha === sha && last.text === check.text;
      if (isSaid || (problems.length === 0 && last?.conclusion !== 'failure')) return;
      await outbox.forgetEnded(key);
      await outbox.add(key, [toEntry(check)], clock.now());
    });
  };
}

function checkOf(
  { repository, path }: { repository: string; path: string },
  sha: string,
  found: readonly SpecProblem[],
): SpecCheckCallback {
  const prefix = path === '' ? '' : `${path}/`;
  const problems = found.map((problem) =>
    isSpecPath(problem.file) ? { ...problem, file: prefix + problem.file } : problem,
  );
  const base = { kind: 'spec-check', repository, sha } as const;
  if (problems.length === 0) {
    const text = 'The deployment specs of this commit are in use.';
    return { ...base, conclusion: 'success', title: 'Valid again', text, annotations: [] };
  }
  return {
    ...base,
    conclusion: 'failure',
    title: `${count(problems.length, 'problem')} in deployment specs`,
    text: problemLines(problems),
    annotations: problems
      .filter(({ file }) => isSpecPath(file))
      .slice(0, MOST_ANNOTATIONS)
      .map((problem) => annotationOf(problem, 'failure')),
  };
}
