import { sql, type Kysely } from 'kysely';
import type { PauseTarget } from '../model/pause.ts';
import type { Run, RunState } from '../model/run.ts';
import type { Engine } from './engine.ts';
import { fromRow } from './run-rows.ts';
import { ACTIVE, BLOCKED, QUEUED, RUNNING } from './run-states.ts';
import type { Database } from './tables.ts';

/** Each is a column of runs too. */
const PAUSABLE = ['spec', 'lane'] as const;

/** Sets the advisory locks on lanes apart from other locks in the same database. */
const LANE_LOCKS = 0x6d73_6c6e;

/** The runs that have not ended, in the order in which their lanes let them start (G3, G4). */
export interface Lanes {
  /** Runs of a lane that have not ended, oldest first. */
  active(lane: string): Promise<Run[]>;
  /** Runs of every lane that have not ended. */
  allActive(): Promise<Run[]>;
  /** Runs of a spec or lane in one of the states in which they wait, oldest first; on PostgreSQL nobody else takes one up until the transaction's end. */
  waitingIn(target: PauseTarget, state: 'queued' | 'blocked'): Promise<Run[]>;
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
  /** How many runs are in each state that is not an end; those that have ended are not counted. */
  countOpen(): Promise<Partial<Record<RunState, number>>>;
}

export function createLanes(db: Kysely<Database>, engine: Engine): Lanes {
  return {
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

    async allActive() {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
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
