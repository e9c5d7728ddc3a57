import { sql } from 'kysely';
import type { EndedRun, Range } from '../model/insights.ts';
import { PROTECTION } from '../model/protection.ts';
import { isOneOf, repositoriesOf } from './page.ts';
import { createMapping } from './mapping.ts';
import { inParts, list, queries, when, type Db } from './query.ts';

/** Runs that are told of, those that ended last. */
const MOST_RUNS = 5000;
/** Runs before them, from which it is known what had failed. */
const MOST_BEFORE = 1000;
/** Characters of a payload that is read for the time of a commit. */
const LONGEST_PAYLOAD = 65_536;

export interface InsightFilter {
  spec?: string | undefined;
  environment?: string | undefined;
  /** Repositories in small letters: runs of others are not counted. Undefined: all are. */
  visible?: readonly string[] | undefined;
}

/** A run that deployed, without what its delivery tells. */
export type StoredRun = Omit<EndedRun, 'committedAt' | 'pushedAt' | 'wasLive'> & {
  delivery: string;
};

export interface StepTime {
  spec: string;
  step: string;
  /** Milliseconds. */
  took: number;
}

const mapping = createMapping<StoredRun>();

/** What the metrics are computed from: nothing here writes. */
export function createInsights(db: Db) {
  const { all, column } = queries(db);
  return {
    /**
     * The runs that succeeded or failed within the range, the last first. `isWhole`: there were no more than are told. `before`:
     * those that ended before them.
     */
    async runs(
      { from, to }: Range,
      filter: InsightFilter,
    ): Promise<{ runs: StoredRun[]; before: StoredRun[]; isWhole: boolean }> {
      // Numbers alone are sorted, where no index has the order, and not whole rows.
      const rows = await mapping.of(db).all`
        select r.id, r.spec, r.environment, r.lane, r.cause, r.state, r.sha, r.delivery,
          r.created_at, r.started_at, r.finished_at
        from runs r where r.seq in (select r.seq from runs r
        where r.state in ('succeeded', 'failed') and r.event not in (${sql.lit(PROTECTION)}, 'teardown')
        and r.finished_at < ${to}
        ${when(filter.spec, (spec) => sql`and r.spec = ${spec}`)}
        ${when(filter.environment, (environment) => sql`and r.environment = ${environment}`)}
        ${when(repositoriesOf(filter), (names) => sql`and ${isOneOf(sql`lower(r.repository)`, names)}`)}
        order by r.finished_at desc, r.seq desc limit ${MOST_RUNS + MOST_BEFORE + 1})
        order by r.finished_at desc, r.seq desc`;
      const within = rows.filter(({ finishedAt }) => finishedAt >= from).length;
      const told = Math.min(within, MOST_RUNS);
      return {
        runs: rows.slice(0, told),
        before: rows.slice(told, told + MOST_BEFORE),
        isWhole: within <= MOST_RUNS,
      };
    },

    /** Those of the runs whose commit had been live in their lane before. Only the commit's own runs are looked at. */
    async liveBefore(runs: readonly string[]): Promise<ReadonlySet<string>> {
      const ids = await inParts(
        runs,
        (some) => column<string>`
          select r.id from runs r where r.id in ${list(some)} and exists (
            select 1 from runs e where e.sha = r.sha and e.spec || '' = r.spec
            and e.environment = r.environment and e.lane = r.lane and e.state = 'succeeded'
            and e.event not in (${sql.lit(PROTECTION)}, 'teardown') and e.finished_at < r.finished_at)`,
      );
      return new Set(ids);
    },

    /** How long each step took that succeeded in one of the runs. */
    steps: (runs: readonly string[]) =>
      inParts(
        runs,
        (some) => all<StepTime>`
          select r.spec, s.name as step, s.finished_at - s.started_at as took
          from steps s join runs r on r.id = s.run_id
          where s.run_id in ${list(some)} and s.state = 'succeeded'
          and s.finished_at >= s.started_at`,
      ),

    /** When those of the deliveries came that are pushes: milliseconds since the epoch. */
    async pushTimes(deliveries: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await inParts(
        deliveries,
        (some) => all<{ id: string; at: number }>`
          select id, received_at as at from deliveries where id in ${list(some)} and event = 'push'`,
      );
      return new Map(rows.map(({ id, at }) => [id, at]));
    },

    /** What pushes brought, as they told it. One that is very large is left out. */
    pushes: (deliveries: readonly string[]) =>
      all<{ id: string; payload: string }>`select id, payload from deliveries
        where id in ${list(deliveries)} and event = 'push' and length(payload) <= ${LONGEST_PAYLOAD}`,
  };
}
