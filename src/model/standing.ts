import type { Run } from './run.ts';

type Deployed = Pick<Run, 'sha' | 'cause'>;

interface Standing<One> {
  run: One;
  below: Standing<One> | undefined;
}

/**
 * What a rollback from a run goes back to: what stood before what the run deploys, newest first, one run of each revision that stands
 * upon another. `earlier`: the successes of its spec and lane before it, oldest first. What an event deploys stands upon what was there.
 * What is brought back by hand (a rollback, a retry, a deployment of a commit that was there before) stands where it stood then, so
 * that what was rolled back from is never gone back to. Pure.
 */
export function stoodBefore<One extends Deployed>(run: One, earlier: readonly One[]): One[] {
  const known = new Map<string, Standing<One>>();
  let top: Standing<One> | undefined;
  for (const next of [...earlier, run]) {
    top = { run: next, below: belowOf(next, top, known.get(next.sha)) };
    known.set(next.sha, top);
  }
  const before: One[] = [];
  for (let at = top?.below; at !== undefined; at = at.below) before.push(at.run);
  return before;
}

function belowOf<One extends Deployed>(
  { sha, cause }: One,
  top: Standing<One> | undefined,
  then: Standing<One> | undefined,
): Standing<One> | undefined {
  if (top?.run.sha === sha) return top.below;
  if (cause === 'event') return top;
  if (then !== undefined) return then.below;
  // It is older than all that is known, or the run that brought it first is gone: what stood before it is not known.
  return cause === 'rollback' ? undefined : top;
}
