import { sql } from 'kysely';
import { hasEnded, type NewRun, type Run, type RunState } from '../model/run.ts';
import { createClaims } from './claims.ts';
import { createLanes } from './lanes.ts';
import { assignments, engineOf, queries, values, when, type Db, type Sql } from './query.ts';
import { createRunHistory } from './run-history.ts';
import { runs } from './run-rows.ts';
import { createSteps } from './steps.ts';

export type { RunFilter } from './run-history.ts';

/** The outputs of a run as its row holds them. */
export interface KeptOutputs {
  /** With secrets masked. */
  outputs: Record<string, string>;
  /** The names of those that are not what the step put out. */
  masked: readonly string[];
  /** All of them as they are, unreadable with the database alone; removed when the run ends. */
  sealed: string | undefined;
}

export type Runs = ReturnType<typeof createRuns>;

export function createRuns(db: Db) {
  const { change, value } = queries(db);
  const { first } = runs.of(db);
  const steps = createSteps(db);
  const claims = createClaims(db, 'runs', sql`state in ('queued', 'running')`);
  const isHeld = (id: string, holder: string) => sql`id = ${id} and holder = ${holder}`;

  /** The number of the row that was made, if one was. SQLite knows it; to have it returned would take longer than all the rest. */
  async function numberOf(insertion: Sql): Promise<number | undefined> {
    if (engineOf(db) === 'postgres') return await value<number>`${insertion} returning seq`;
    const { insertId, numAffectedRows } = await insertion.execute(db);
    return numAffectedRows === 1n ? Number(insertId) : undefined;
  }

  /** One of the columns that are no fields of a run. */
  const read = <Value>(run: string, column: string) =>
    value<Value>`select ${sql.ref(column)} from runs where id = ${run}`;

  /** False, with `attempt`, when that is no longer the run's latest: another process has taken it up. */
  async function write(run: string, row: Record<string, unknown>, attempt?: number) {
    const mine = when(attempt, () => sql`and attempts = ${attempt}`);
    return (await change`update runs set ${assignments(row)} where id = ${run} ${mine}`) > 0;
  }

  return {
    ...createRunHistory(db),
    ...createLanes(db),

    /** Undefined when the delivery has made its run of this spec before (G2). */
    async insert(run: NewRun, stepNames: readonly string[]): Promise<Run | undefined> {
      const insertion = sql`insert into runs ${values([runs.write(run)])} on conflict do nothing`;
      const sequence = await numberOf(insertion);
      if (sequence === undefined) return undefined;
      await steps.insert(run.id, stepNames);
      return { ...run, sequence };
    },

    get: (id: string) => first`select * from runs where id = ${id}`,

    /**
     * Writes a run's new state. False when the row is no longer in `expected` state, or no longer `holder`'s. Leaves alone
     * what `requestCancel` wrote: `run` may have been read before that.
     */
    async update(run: Run, expected: { state: RunState; holder?: string }): Promise<boolean> {
      const { id, state, reason, fault, attempts, outputs, startedAt, finishedAt } = run;
      const row = runs.write({ state, reason, fault, attempts, outputs, startedAt, finishedAt });
      const changed = await change`update runs set ${assignments(row)}
        ${when(hasEnded(state) || undefined, () => sql`, sealed_outputs = null`)}
        where id = ${id} and state = ${expected.state}
        ${when(expected.holder, (holder) => sql`and holder = ${holder}`)}`;
      return changed > 0;
    },

    /** Gives a run that gathers events the revision of another one of them. */
    async move(run: Run): Promise<void> {
      const { id, repository, ref, branch, tag, sha, event, delivery, reason } = run;
      await write(id, {
        ...runs.write({ repository, ref, sha, event, delivery, reason }),
        branch: branch ?? null,
        tag: tag ?? null,
      });
    },

    /** Asks a running run to stop. False when it is not running, or was asked before. */
    async requestCancel(id: string, reason: string): Promise<boolean> {
      const changed = await change`update runs set cancel_requested = ${reason}
        where id = ${id} and state = 'running' and cancel_requested is null`;
      return changed > 0;
    },

    /** Makes `holder` the one that runs it (G3). False when it has ended, or another has a lease that has not. */
    async own(id: string, holder: string, until: number, now: number): Promise<boolean> {
      return (await claims.take(sql`id = ${id}`, sql`holder = ${holder}`, until, now)).length > 0;
    },

    /** Extends the lease. Undefined when the run is no longer this holder's; else what the run looks like now. */
    async renew(id: string, holder: string, until: number): Promise<Run | undefined> {
      const row = await claims.renew(isHeld(id, holder), until);
      return row && runs.read(row);
    },

    /** Gives a running run back, for any process to go on with. */
    release: (id: string, holder: string) => claims.release(isHeld(id, holder)),
    releaseAll: claims.releaseAll,

    /** Keeps what the steps have put out so far, for a run that is taken up again; with `attempt` as in `Steps.update`. */
    setOutputs: (run: string, { outputs, masked, sealed }: KeptOutputs, attempt?: number) =>
      write(
        run,
        {
          ...runs.write({ outputs, maskedOutputs: masked.length === 0 ? undefined : masked }),
          sealed_outputs: sealed,
        },
        attempt,
      ),
    /** What was kept with `sealed`, while the run goes on. */
    sealedOutputs: (run: string) => read<string>(run, 'sealed_outputs'),

    /** The work tree that the run's steps were last done in, by its name; undefined before the first. */
    workTree: (run: string) => read<string>(run, 'work_tree'),
    /** Keeps the name of the work tree, with `attempt` as in `Steps.update`. */
    setWorkTree: (run: string, name: string, attempt?: number) =>
      write(run, { work_tree: name }, attempt),

    /** Who asked for it by hand; undefined when an event made it. */
    askedBy: (run: string) => read<string>(run, 'asked_by'),
    setAskedBy: (run: string, actor: string) => write(run, { asked_by: actor }),
  };
}
