import type { Kysely } from 'kysely';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import type { Engine } from './engine.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { createRunHistory, type RunHistory } from './run-history.ts';
import { createRunLeases, type RunLeases } from './run-leases.ts';
import { fromRow, toRow, type NewRun } from './run-rows.ts';
import { createSteps } from './steps.ts';
import type { Database } from './tables.ts';

export type { RunFilter } from './run-history.ts';
export type { NewRun } from './run-rows.ts';

export interface Runs extends RunHistory, Lanes, RunLeases {
  /** Undefined when the delivery has made its run of this spec before (G2). */
  insert(run: NewRun, stepNames: readonly string[]): Promise<Run | undefined>;
  get(id: string): Promise<Run | undefined>;
  /**
   * Writes a run's new state. False when the row is no longer in `expected` state, or no longer `holder`'s. Leaves alone
   * what `requestCancel` wrote: `run` may have been read before that.
   */
  update(run: Run, expected: { state: RunState; holder?: string }): Promise<boolean>;
  /** Keeps what the steps have put out so far, for a run that is taken up again; with `attempt` as in `Steps.update`. */
  setOutputs(run: string, kept: KeptOutputs, attempt?: number): Promise<boolean>;
  /** What was kept with `sealed`, while the run goes on. */
  sealedOutputs(run: string): Promise<string | undefined>;
  /** The work tree that the run's steps were last done in, by its name; undefined before the first. */
  workTree(run: string): Promise<string | undefined>;
  /** Keeps the name of the work tree, with `attempt` as in `Steps.update`. */
  setWorkTree(run: string, name: string, attempt?: number): Promise<boolean>;
  deploymentId(run: string): Promise<number | undefined>;
  setDeploymentId(run: string, deploymentId: number): Promise<void>;
}

/** The outputs of a run as its row holds them. */
export interface KeptOutputs {
  /** With secrets masked. */
  outputs: Record<string, string>;
  /** The names of those that are not what the step put out. */
  masked: readonly string[];
  /** All of them as they are, unreadable with the database alone; removed when the run ends. */
  sealed: string | undefined;
}

export function createRuns(db: Kysely<Database>, engine: Engine): Runs {
  const steps = createSteps(db, engine);
  return {
    ...createRunHistory(db),
    ...createLanes(db, engine),
    ...createRunLeases(db),

    async insert(run, stepNames) {
      const row = await db
        .insertInto('runs')
        .values(toRow(run))
        .onConflict((conflict) => conflict.doNothing())
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return undefined;
      await steps.insert(run.id, stepNames);
      return fromRow(row);
    },

    async get(id) {
      const row = await db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },

    async update(run, expected) {
      let query = db
        .updateTable('runs')
        .set({
          state: run.state,
          reason: run.reason,
          fault: run.fault ?? null,
          attempts: run.attempts,
          outputs: JSON.stringify(run.outputs),
          ...(hasEnded(run.state) ? { sealed_outputs: null } : {}),
          started_at: run.startedAt ?? null,
          finished_at: run.finishedAt ?? null,
        })
        .where('id', '=', run.id)
        .where('state', '=', expected.state);
      if (expected.holder !== undefined) query = query.where('holder', '=', expected.holder);
      const result = await query.executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async setOutputs(run, { outputs, masked, sealed }, attempt) {
      const result = await db
        .updateTable('runs')
        .set({
          outputs: JSON.stringify(outputs),
          masked_outputs: masked.length === 0 ? null : JSON.stringify(masked),
          sealed_outputs: sealed ?? null,
        })
        .where('id', '=', run)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async sealedOutputs(run) {
      const row = await db
        .selectFrom('runs')
        .select('sealed_outputs')
        .where('id', '=', run)
        .executeTakeFirst();
      return row?.sealed_outputs ?? undefined;
    },

    async workTree(run) {
      const row = await db
        .selectFrom('runs')
        .select('work_tree')
        .where('id', '=', run)
        .executeTakeFirst();
      return row?.work_tree ?? undefined;
    },

    async setWorkTree(run, name, attempt) {
      const result = await db
        .updateTable('runs')
        .set({ work_tree: name })
        .where('id', '=', run)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async deploymentId(run) {
      const row = await db
        .selectFrom('runs')
        .select('deployment_id')
        .where('id', '=', run)
        .executeTakeFirst();
      return row?.deployment_id ?? undefined;
    },

    async setDeploymentId(run, deploymentId) {
      await db
        .updateTable('runs')
        .set({ deployment_id: deploymentId })
        .where('id', '=', run)
        .execute();
    },
  };
}
