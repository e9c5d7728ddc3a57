import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';

/** Runs that are looked at; the newest. */
const MOST = 200;

/** What a rollback would change. */
export interface RollbackView {
  /** What is deployed now. */
  from: Run;
  to: Run;
  /** One run of each revision that came after `to`, newest first: what is not there any more afterwards. */
  takenBack: Run[];
}

/** What would change if a run was rolled back; undefined when there is nothing earlier. Only what is in the run's repository. */
export async function readRollback(
  { runs, environments }: Pick<Store, 'runs' | 'environments'>,
  run: Run,
): Promise<RollbackView | undefined> {
  const to = await runs.lastSuccessBefore(run);
  if (to === undefined) return undefined;
  const { spec, lane } = run;
  const live = await environments.get(lane, spec);
  const now = live && (await runs.get(live.run));
  // The spec may have been another repository's before.
  const from = now?.repository === run.repository ? now : run;
  if (from.sha === to.sha) return { from, to, takenBack: [] };
  const page = { limit: MOST, before: from.sequence + 1 };
  const { items } = await runs.list(page, { spec, lane, state: 'succeeded' });
  const after = items.filter(
    ({ sequence, sha, repository }) =>
      sequence > to.sequence && sha !== to.sha && repository === run.repository,
  );
  const takenBack = after.filter(
    ({ sha }, place) => after.findIndex((one) => one.sha === sha) === place,
  );
  return { from, to, takenBack };
}
