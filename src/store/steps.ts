import type { Insertable, Kysely, Selectable } from 'kysely';
import type { Step } from '../model/run.ts';
import type { Engine } from './engine.ts';
import type { Database, StepTable } from './tables.ts';

/** The steps of runs: made with their run, changed while it goes on. */
export interface Steps {
  /** Makes a run's steps, all of them pending. */
  insert(run: string, names: readonly string[]): Promise<void>;
  /** A run's steps in their order. */
  ofRun(run: string): Promise<Step[]>;
  /**
   * Writes a step's row. False, with `attempt`, when that is no longer the run's latest: somebody else has taken the run
   * up, and whoever asks has lost it.
   */
  update(run: string, step: Step, attempt?: number): Promise<boolean>;
  /** Ends what is still open of a run that has ended: a step that had begun is cancelled, one that had not is skipped. */
  endOpen(run: string, now: number): Promise<void>;
}

const OPEN = ['pending', 'running'] as const;

export function createSteps(db: Kysely<Database>, engine: Engine): Steps {
  return {
    async insert(run, names) {
      if (names.length === 0) return;
      await db
        .insertInto('steps')
        .values(names.map((name, position) => newStep(run, position, name)))
        .execute();
    },

    async ofRun(run) {
      const rows = await db
        .selectFrom('steps')
        .selectAll()
        .where('run_id', '=', run)
        .orderBy('position')
        .execute();
      return rows.map(fromStepRow);
    },

    async update(run, step, attempt) {
      const result = await db
        .updateTable('steps')
        .set({
          state: step.state,
          attempts: step.attempts,
          exit_code: step.exitCode ?? null,
          reason: step.reason,
          started_at: step.startedAt ?? null,
          finished_at: step.finishedAt ?? null,
        })
        .where('run_id', '=', run)
        .where('position', '=', step.index)
        .$if(attempt !== undefined, (query) =>
          query.where(({ exists, selectFrom }) => {
            const mine = selectFrom('runs')
              .select('runs.id')
              .where('runs.id', '=', run)
              .where('runs.attempts', '=', attempt ?? 0);
            // Who takes the run up waits until this is written, or this sees that it was taken up.
            return exists(engine === 'postgres' ? mine.forShare() : mine);
          }),
        )
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async endOpen(run, now) {
      const begun = db
        .updateTable('steps')
        .set({ state: 'cancelled', finished_at: now })
        .where('attempts', '>', 0);
      const untouched = db.updateTable('steps').set({ state: 'skipped' }).where('attempts', '=', 0);
      for (const query of [begun, untouched]) {
        await query.where('run_id', '=', run).where('state', 'in', OPEN).execute();
      }
    },
  };
}

function newStep(run: string, position: number, name: string): Insertable<StepTable> {
  return {
    run_id: run,
    position,
    name,
    state: 'pending',
    attempts: 0,
    exit_code: null,
    reason: '',
    started_at: null,
    finished_at: null,
  };
}

function fromStepRow(row: Selectable<StepTable>): Step {
  return {
    index: row.position,
    name: row.name,
    state: row.state,
    attempts: row.attempts,
    exitCode: row.exit_code ?? undefined,
    reason: row.reason,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
  };
}
