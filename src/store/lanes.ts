import { sql } from 'kysely';
import type { PauseTarget } from '../model/pause.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { lockUntilEnd } from './locks.ts';
import { andNotIn, engineOf, list, onPostgres, queries, type Db, type Sql } from './query.ts';
import { ACTIVE, DEPLOYS, runs } from './run-rows.ts';

/** Runs that have not ended, newest first. */
export interface UnderWay {
  runs: readonly Run[];
  /** Of these specs there are more. */
  more: ReadonlySet<string>;
  /** So many were there that none older were looked at; there may be more of each spec. */
  isCut: boolean;
}

/** The runs that have not ended, in the order in which their lanes let them start (G3, G4). */
export function createLanes(db: Db) {
  const { all } = queries(db);
  const read = runs.of(db);

  const active = (which: Sql, end = sql``) =>
    read.all`select * from runs where ${ACTIVE} and ${which} order by seq ${end}`;

  return {
    /** Runs of a lane that have not ended, oldest first. */
    active: (lane: string) => active(sql`lane = ${lane}`),

    /** Runs that deploy a spec in this lane or environment and have not ended, oldest first: its lane may have changed meanwhile. */
    activeAt: ({ spec, lane, environment }: Pick<Run, 'spec' | 'lane' | 'environment'>) =>
      active(sql`${DEPLOYS} and spec = ${spec} and seq in (
        select seq from runs where spec = ${spec} and environment = ${environment} and ${ACTIVE}
        union all select seq from runs where lane = ${lane} and ${ACTIVE})`),

    /** The newest other run of the spec and lane that may still deploy the same commit, as far as the world has heard of it. */
    otherOf: ({ id, spec, lane, sha }: Run) =>
      read.first`select * from runs where lane = ${lane} and ${ACTIVE} and spec = ${spec} and sha = ${sha}
        and id <> ${id} and event <> 'teardown' and (state <> 'blocked' or batch is null or batch <> id)
        order by seq desc limit 1`,

    /** Runs of every lane that have not ended. */
    allActive: () => active(sql`true`),

    /**
     * What is under way: of each spec the newest `each` in each state, among the newest `most` of all. What runs is looked for
     * among all of them, and what is blocked among the newest `most` that are: it may wait for days.
     */
    async underWay({ each, most }: { each: number; most: number }): Promise<UnderWay> {
      type Open = Pick<Run, 'spec' | 'state'> & { seq: number };
      const [running, blocked, open] = await Promise.all([
        all<Open>`select seq, spec, state from runs where state = 'running' and ${ACTIVE}`,
        all<Open>`select seq, spec, state from runs where state = 'blocked' order by seq desc limit ${most}`,
        all<Open>`select seq, spec, state from runs where ${ACTIVE} order by seq desc limit ${most + 1}`,
      ]);
      const newest = [...running, ...blocked, ...open.slice(0, most)];
      const found = new Map(newest.map((one) => [one.seq, one]));
      const counts = new Map<string, number>();
      const more = new Set<string>();
      const shown: number[] = [];
      for (const { seq, spec, state } of [...found.values()].sort((x, y) => y.seq - x.seq)) {
        const key = `${state} ${spec}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        if (count <= each) shown.push(seq);
        else more.add(spec);
      }
      const isCut = open.length > most;
      if (shown.length === 0) return { runs: [], more, isCut };
      const there =
        await read.all`select * from runs where seq in ${list(shown)} order by seq desc`;
      return { runs: there.filter(({ state }) => !hasEnded(state)), more, isCut };
    },

    /**
     * Runs of a spec or lane in one of the states in which they wait, oldest first; on PostgreSQL no other takes one up until
     * the transaction's end.
     */
    waitingIn: ({ kind, name }: PauseTarget, state: 'queued' | 'blocked') =>
      active(sql`state = ${state} and ${sql.ref(kind)} = ${name}`, onPostgres(db, sql`for update`)),

    /**
     * Until the transaction's end no other makes runs in this lane or takes one of it up, so that what is read of the lane
     * stays true. Nothing on SQLite, where one transaction is under way at a time.
     */
    async lockLane(lane: string): Promise<void> {
      if (engineOf(db) === 'sqlite') return;
      await lockUntilEnd(db, 'lanes', lane);
      await all`select seq from runs where lane = ${lane} and ${ACTIVE} order by seq for update`;
    },

    /**
     * The oldest run that may start now: first of its lane, nothing running there, neither it nor its lane paused; or
     * running with a lease that ended. None of `except`, and none that another transaction has locked. A blocked run holds up
     * the later ones of its spec, but not those of other specs in its lane. Where the lane of a spec has changed, its runs in the other
     * lane that run or have their turn before hold up a run of the same environment too.
     */
    nextRunnable(now: number, except: readonly string[] = []): Promise<Run | undefined> {
      // The states are said again for the planner, so that only the partial index of active runs is read; and what is before a
      // run is asked in two questions, because each has a partial index that answers it.
      return read.first`
        select r.* from runs as r
        where r.state in ('queued', 'blocked', 'running') ${andNotIn(sql`r.id`, except)} and (
          r.state = 'running' and r.lease_until <= ${now}
          or r.state = 'queued'
          and not exists (
            select 1 from runs as running where running.lane = r.lane and running.state = 'running')
          and not exists (
            select 1 from runs as earlier
            where earlier.lane = r.lane and earlier.seq < r.seq
            and earlier.state in ('queued', 'blocked', 'running')
            and (earlier.state <> 'blocked' or earlier.spec = r.spec))
          and not exists (
            select 1 from runs as elsewhere
            where elsewhere.spec = r.spec and elsewhere.environment = r.environment and elsewhere.lane <> r.lane
            and elsewhere.state in ('queued', 'blocked', 'running')
            and (elsewhere.state = 'running' or elsewhere.state = 'queued' and elsewhere.seq < r.seq))
          and not exists (select 1 from pauses as p where p.kind = 'spec' and p.name = r.spec)
          and not exists (select 1 from pauses as p where p.kind = 'lane' and p.name = r.lane
            and (p.spared_run is null or p.spared_run <> r.id)))
        order by r.seq limit 1 ${onPostgres(db, sql`for update of r skip locked`)}`;
    },

    /** How many runs are in each state that is not an end; those that have ended are not counted. */
    async countOpen(): Promise<Partial<Record<RunState, number>>> {
      const rows = await all<{ state: RunState; count: number }>`
        select state, count(*) as count from runs where ${ACTIVE} group by state`;
      return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
    },
  };
}
