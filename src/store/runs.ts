import { sql, type Kysely } from 'kysely';
import type { PauseTarget } from '../model/pause.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import type { Engine } from './engine.ts';
import { page, type Page, type PageRequest } from './page.ts';
import { fromRow, toRow, type NewRun } from './run-rows.ts';
import { createSteps } from './steps.ts';
import type { Database } from './tables.ts';

export type { NewRun } from './run-rows.ts';

// Literals and not parameters: with parameters SQLite cannot use the indexes of active runs.
const QUEUED = sql.lit('queued' as const);
const RUNNING = sql.lit('running' as const);
const BLOCKED = sql.lit('blocked' as const);
const ACTIVE = sql<RunState>`('queued', 'blocked', 'running')`;
const ENDED = sql<RunState>`('succeeded', 'failed', 'cancelled', 'superseded')`;

/** Each is a column of runs too. */
const PAUSABLE = ['spec', 'lane'] as const;

/** Revisions that a run by hand is known to have left behind: each is one question to git. */
const MOST_LEFT = 20;

/** Sets the advisory locks on lanes apart from other locks in the same database. */
const LANE_LOCKS = 0x6d73_6c6e;

export interface RunFilter {
  spec?: string | undefined;
  repository?: string | undefined;
  state?: RunState | undefined;
  lane?: string | undefined;
  delivery?: string | undefined;
  sha?: string | undefined;
}

export interface Runs {
  /** Undefined when the delivery has made its run of this spec before (G2). */
  insert(run: NewRun, stepNames: readonly string[]): Promise<Run | undefined>;
  get(id: string): Promise<Run | undefined>;
  list(request: PageRequest, filter: RunFilter): Promise<Page<Run>>;
  /** The newest successful run of the same spec and lane that is older and of another revision. */
  lastSuccessBefore(run: Run): Promise<Run | undefined>;
  /**
   * What its spec had before a run that somebody made by hand went back: the revisions, newest first, that events brought
   * between the run's own revision and the run. Only the newest of many. None for a run that an event made.
   */
  leftBehind(run: string): Promise<string[]>;
  /** The newest run of the spec in the lane that a delivery has made which came after the given one. */
  madeByLater(spec: string, lane: string, delivery: string): Promise<Run | undefined>;
  /** Runs of a lane that have not ended, oldest first. */
  active(lane: string): Promise<Run[]>;
  /** Runs of a spec or lane in one of the states in which they wait, oldest first; on PostgreSQL nobody else takes one up until the transaction's end. */
  waitingIn(target: PauseTarget, state: 'queued' | 'blocked'): Promise<Run[]>;
  /** Runs of every lane that have not ended. */
  allActive(): Promise<Run[]>;
  /**
   * Until the transaction's end nobody else makes runs in this lane or takes one of it up, so that what is read of the lane
   * stays true. Nothing on SQLite, where one transaction is under way at a time.
   */
  lockLane(lane: string): Promise<void>;
  /**
   * The oldest run that may start now: first of its lane, nothing running there, neither it nor its lane paused; or
   * running with a lease that ended. None of `except`, and none that another transaction holds. A blocked run holds up
   * the later ones of its spec, but not those of other specs in its lane.
   */
  nextRunnable(now: number, except?: readonly string[]): Promise<Run | undefined>;
  /**
   * Writes a run's new state. False when the row is no longer in `expected` state, or no longer `owner`'s. Leaves alone
   * what `requestCancel` wrote: `run` may have been read before that.
   */
  update(run: Run, expected: { state: RunState; owner?: string }): Promise<boolean>;
  /** Makes `owner` the one who runs it. False when it has ended, or somebody else has a lease that has not. */
  own(id: string, owner: string, leaseUntil: number, now: number): Promise<boolean>;
  /** Extends the lease. Undefined when the run is no longer this owner's; else what the run looks like now. */
  renew(id: string, owner: string, leaseUntil: number): Promise<Run | undefined>;
  /** Gives a running run back, for anybody to go on with. */
  release(id: string, owner: string): Promise<void>;
  /** Ends every lease, so that running runs are taken up again. Only for an engine that one process owns. */
  releaseAll(): Promise<void>;
  requestCancel(id: string, reason: string): Promise<boolean>;
  /** Keeps what the steps have put out so far, for the next one and for a run that is taken up again; with `attempt` as in `Steps.update`. */
  setOutputs(run: string, outputs: Record<string, string>, attempt?: number): Promise<boolean>;
  /** The work tree that the run's steps were last done in, by its name; undefined before the first. */
  workTree(run: string): Promise<string | undefined>;
  /** Keeps the name of the work tree, with `attempt` as in `Steps.update`. */
  setWorkTree(run: string, name: string, attempt?: number): Promise<boolean>;
  deploymentId(run: string): Promise<number | undefined>;
  setDeploymentId(run: string, deploymentId: number): Promise<void>;
  /** How many runs are in each state that is not an end; those that have ended are not counted. */
  countOpen(): Promise<Partial<Record<RunState, number>>>;
}

export function createRuns(db: Kysely<Database>, engine: Engine): Runs {
  const steps = createSteps(db, engine);
  return {
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

    async list(request, filter) {
      let query = db.selectFrom('runs').selectAll();
      if (filter.spec !== undefined) query = query.where('spec', '=', filter.spec);
      if (filter.state !== undefined) {
        const all = hasEnded(filter.state) ? ENDED : ACTIVE;
        // Both, because the indexes are of some states only.
        query = query.where('state', '=', filter.state).where('state', 'in', all);
      }
      if (filter.lane !== undefined) {
        query = query
          .where('lane', '=', filter.lane)
          .where((eb) => eb(eb.fn('lower', ['lane']), '=', eb.fn('lower', [eb.val(filter.lane)])));
      }
      if (filter.delivery !== undefined) query = query.where('delivery', '=', filter.delivery);
      if (filter.sha !== undefined) query = query.where('sha', '=', filter.sha);
      if (filter.repository !== undefined) {
        query = query.where((eb) =>
          eb(eb.fn('lower', ['repository']), '=', filter.repository?.toLowerCase() ?? ''),
        );
      }
      if (request.before !== undefined) query = query.where('seq', '<', request.before);
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(request.limit + 1)
        .execute();
      return page(rows, request, fromRow);
    },

    async lastSuccessBefore(run) {
      const row = await db
        .selectFrom('runs')
        .selectAll()
        .where('spec', '=', run.spec)
        .where('lane', '=', run.lane)
        .where('state', '=', 'succeeded')
        .where('sha', '!=', run.sha)
        .where('seq', '<', run.sequence)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async leftBehind(id) {
      const rows = await db
        .selectFrom('runs as back')
        .innerJoin('runs as left', (join) =>
          join
            .onRef('left.spec', '=', 'back.spec')
            .onRef('left.lane', '=', 'back.lane')
            .onRef('left.seq', '<', 'back.seq')
            .on('left.cause', '=', 'event'),
        )
        .select(['left.sha', (eb) => eb.fn.max('left.seq').as('newest')])
        .where('back.id', '=', id)
        .where('back.cause', '!=', 'event')
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('runs as own')
                .select('own.seq')
                .whereRef('own.spec', '=', 'back.spec')
                .whereRef('own.lane', '=', 'back.lane')
                .whereRef('own.sha', '=', 'back.sha')
                .whereRef('own.seq', '>=', 'left.seq')
                .whereRef('own.seq', '<', 'back.seq')
                .where('own.cause', '=', 'event'),
            ),
          ),
        )
        .groupBy('left.sha')
        .orderBy('newest', 'desc')
        .limit(MOST_LEFT)
        .execute();
      return rows.map(({ sha }) => sha);
    },

    async madeByLater(spec, lane, delivery) {
      const row = await db
        .selectFrom('runs as r')
        .innerJoin('deliveries as d', 'd.id', 'r.delivery')
        .selectAll('r')
        .where('r.spec', '=', spec)
        .where('r.lane', '=', lane)
        .where('r.cause', '=', 'event')
        .where('d.seq', '>', (eb) =>
          eb.selectFrom('deliveries as own').select('own.seq').where('own.id', '=', delivery),
        )
        .orderBy('r.seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async active(lane) {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        .where('lane', '=', lane)
        .where('state', 'in', ACTIVE)
        .orderBy('seq')
        .execute();
      return rows.map(fromRow);
    },

    async waitingIn({ kind, name }, state) {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        // Said twice for the planner: only the partial index of active runs is read.
        .where('state', 'in', ACTIVE)
        .where('state', '=', state)
        .where(kind, '=', name)
        .orderBy('seq')
        .$if(engine === 'postgres', (query) => query.forUpdate())
        .execute();
      return rows.map(fromRow);
    },

    async allActive() {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        .where('state', 'in', ACTIVE)
        .orderBy('seq')
        .execute();
      return rows.map(fromRow);
    },

    async lockLane(lane) {
      if (engine === 'sqlite') return;
      await sql`select pg_advisory_xact_lock(${LANE_LOCKS}, hashtext(${lane}))`.execute(db);
      await db
        .selectFrom('runs')
        .select('seq')
        .where('lane', '=', lane)
        .where('state', 'in', ACTIVE)
        .orderBy('seq')
        .forUpdate()
        .execute();
    },

    async nextRunnable(now, except = []) {
      const row = await db
        .selectFrom('runs as r')
        .selectAll('r')
        .where((eb) =>
          eb.or([
            eb.and([eb('r.state', '=', RUNNING), eb('r.lease_until', '<=', now)]),
            eb.and([
              eb('r.state', '=', QUEUED),
              // Two questions and not one with "or": each has a partial index that answers it, together they have none.
              eb.not(
                eb.exists(
                  eb
                    .selectFrom('runs as running')
                    .select('running.seq')
                    .whereRef('running.lane', '=', 'r.lane')
                    .where('running.state', '=', RUNNING),
                ),
              ),
              eb.not(
                eb.exists(
                  eb
                    .selectFrom('runs as earlier')
                    .select('earlier.seq')
                    .whereRef('earlier.lane', '=', 'r.lane')
                    .whereRef('earlier.seq', '<', 'r.seq')
                    .where('earlier.state', 'in', ACTIVE)
                    .where((or) =>
                      or.or([
                        or('earlier.state', '!=', BLOCKED),
                        or('earlier.spec', '=', or.ref('r.spec')),
                      ]),
                    ),
                ),
              ),
              ...PAUSABLE.map((kind) =>
                eb.not(
                  eb.exists(
                    eb
                      .selectFrom('pauses as p')
                      .select('p.since')
                      .where('p.kind', '=', kind)
                      .whereRef('p.name', '=', `r.${kind}`),
                  ),
                ),
              ),
            ]),
          ]),
        )
        // Said again for the planner: only the partial index of active runs is read.
        .where('r.state', 'in', ACTIVE)
        .$if(except.length > 0, (query) => query.where('r.id', 'not in', except))
        .orderBy('r.seq')
        .limit(1)
        .$if(engine === 'postgres', (query) => query.forUpdate('r').skipLocked())
        .executeTakeFirst();
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
          started_at: run.startedAt ?? null,
          finished_at: run.finishedAt ?? null,
        })
        .where('id', '=', run.id)
        .where('state', '=', expected.state);
      if (expected.owner !== undefined) query = query.where('owner', '=', expected.owner);
      const result = await query.executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async own(id, owner, leaseUntil, now) {
      const result = await db
        .updateTable('runs')
        .set({ owner, lease_until: leaseUntil })
        .where('id', '=', id)
        .where((eb) =>
          eb.or([
            eb('state', '=', QUEUED),
            eb.and([eb('state', '=', RUNNING), eb('lease_until', '<=', now)]),
          ]),
        )
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async renew(id, owner, leaseUntil) {
      const row = await db
        .updateTable('runs')
        .set({ lease_until: leaseUntil })
        .where('id', '=', id)
        .where('owner', '=', owner)
        .where('state', '=', 'running')
        .returningAll()
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async release(id, owner) {
      await db
        .updateTable('runs')
        .set({ lease_until: 0 })
        .where('id', '=', id)
        .where('owner', '=', owner)
        .where('state', '=', RUNNING)
        .execute();
    },

    async releaseAll() {
      await db.updateTable('runs').set({ lease_until: 0 }).where('state', '=', 'running').execute();
    },

    async requestCancel(id, reason) {
      const result = await db
        .updateTable('runs')
        .set({ cancel_requested: reason })
        .where('id', '=', id)
        .where('state', '=', 'running')
        .where('cancel_requested', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async setOutputs(run, outputs, attempt) {
      const result = await db
        .updateTable('runs')
        .set({ outputs: JSON.stringify(outputs) })
        .where('id', '=', run)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
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

    async countOpen() {
      const rows = await db
        .selectFrom('runs')
        .select(['state', (eb) => eb.fn.countAll<number | string>().as('count')])
        .where('state', 'in', ACTIVE)
        .groupBy('state')
        .execute();
      return Object.fromEntries(rows.map((row) => [row.state, Number(row.count)]));
    },
  };
}
