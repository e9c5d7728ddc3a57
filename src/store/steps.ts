import type { Step } from '../model/run.ts';
import { createMapping } from './mapping.ts';
import { assignments, queries, values, type Db } from './query.ts';
import { isLatest } from './run-rows.ts';

const steps = createMapping<Step>({ names: { index: 'position' }, others: ['run_id'] });

/** The steps of runs: made with their run, changed while it goes on. */
export function createSteps(db: Db) {
  const { change } = queries(db);
  return {
    /** Makes a run's steps, all of them pending. */
    async insert(run: string, names: readonly string[]): Promise<void> {
      if (names.length === 0) return;
      const rows = names.map((name, position) => ({
        run_id: run,
        position,
        name,
        state: 'pending',
        attempts: 0,
        reason: '',
      }));
      await change`insert into steps ${values(rows)}`;
    },

    /** A run's steps in their order. */
    ofRun: (run: string) =>
      steps.of(db).all`select * from steps where run_id = ${run} order by position`,

    /**
     * Writes a step's row. False, with `attempt`, when that is no longer the run's latest: another process has taken the run
     * up, and the one that asks has lost it.
     */
    async update(run: string, { index, ...step }: Step, attempt?: number): Promise<boolean> {
      const changed = await change`update steps set ${assignments(steps.write(step))}
        where run_id = ${run} and position = ${index} and ${isLatest(db, run, attempt)}`;
      return changed > 0;
    },

    /** Ends what is still open of a run that has ended: a step that had begun is cancelled, one that had not is skipped. */
    async endOpen(run: string, now: number): Promise<void> {
      await change`update steps set
        finished_at = case when attempts > 0 then ${now} else finished_at end,
        state = case when attempts > 0 then 'cancelled' else 'skipped' end
        where run_id = ${run} and state in ('pending', 'running')`;
    },
  };
}
