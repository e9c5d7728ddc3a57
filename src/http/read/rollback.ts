import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';

/** What a rollback would change. */
export interface RollbackView {
  /** What is deployed now. */
  from: Run;
  to: Run;
  /** One run of each revision that stands upon `to`, newest first: what is not there any more afterwards. */
  takenBack: Run[];
}

/** What would change if a run was rolled back; undefined when there is nothing earlier. Only what is in the run's repository. */
export async function readRollback(
  { runs, environments }: Pick<Store, 'runs' | 'environments'>,
  run: Run,
): Promise<RollbackView | undefined> {
  const [to] = await runs.standingBefore(run);
  if (to === undefined) return undefined;
  const live = await environments.get(run);
  const now = live && (await runs.get(live.run));
  // The spec may have been another repository's before.
  const from = now?.repository === run.repository ? now : run;
  if (from.sha === to.sha) return { from, to, takenBack: [] };
  const standing = [from, ...(await runs.standingBefore(from))];
  const place = standing.findIndex(({ sha }) => sha === to.sha);
  const after = place === -1 ? [from] : standing.slice(0, place);
  const takenBack = after.filter(({ sha }, at) => after.findIndex((one) => one.sha === sha) === at);
  return { from, to, takenBack };
}
