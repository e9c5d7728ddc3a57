import type { Kysely } from 'kysely';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { page, type Page, type PageRequest } from './page.ts';
import { fromRow } from './run-rows.ts';
import { ACTIVE, ENDED } from './run-states.ts';
import type { Database } from './tables.ts';

/** Revisions that a run by hand is known to have left behind: each is one question to git. */
const MOST_LEFT = 20;
/** Newest runs of a lane among which one of a later delivery is looked for: it was made just now, or others have been since. */
const MOST_LATER = 100;

export interface RunFilter {
  spec?: string | undefined;
  repository?: string | undefined;
  state?: RunState | undefined;
  lane?: string | undefined;
  delivery?: string | undefined;
  sha?: string | undefined;
}

/** What was deployed, and in which order: nothing here writes. */
export interface RunHistory {
  list(request: PageRequest, filter: RunFilter): Promise<Page<Run>>;
  /** The newest successful run of the same spec and lane that is older and of another revision. */
  lastSuccessBefore(run: Run): Promise<Run | undefined>;
  /** Whether another run of the spec has deployed the same commit. */
  hasDeployed(run: Pick<Run, 'id' | 'spec' | 'sha'>): Promise<boolean>;
  /** The newest other run that has deployed its spec to its environment, in whatever lane. */
  lastToDeploy(run: Run): Promise<Run | undefined>;
  /**
   * What its spec had before a run that somebody made by hand went back: the revisions, newest first, that events brought
   * between the run's own revision and the run. Only the newest of many. None for a run that an event made.
   */
  leftBehind(run: string): Promise<string[]>;
  /** The newest run of the spec in the lane that a delivery has made which came after the given one, and that was not superseded. */
  madeByLater(spec: string, lane: string, delivery: string): Promise<Run | undefined>;
}

export function createRunHistory(db: Kysely<Database>): RunHistory {
  return {
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

    async hasDeployed({ id, spec, sha }) {
      const row = await db
        .selectFrom('runs')
        .select('seq')
        .where('sha', '=', sha)
        .where('spec', '=', spec)
        .where('state', '=', 'succeeded')
        .where('id', '!=', id)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    async lastToDeploy(run) {
      const row = await db
        .selectFrom('runs')
        .selectAll()
        .where('spec', '=', run.spec)
        .where('environment', '=', run.environment)
        .where('state', '=', 'succeeded')
        .where('id', '!=', run.id)
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
        .where('r.seq', 'in', (eb) =>
          eb
            .selectFrom('runs as newest')
            .select('newest.seq')
            .where('newest.spec', '=', spec)
            .where('newest.lane', '=', lane)
            .where('newest.cause', '=', 'event')
            .orderBy('newest.seq', 'desc')
            .limit(MOST_LATER),
        )
        // What took its place counts, if that came later too; else it came late itself.
        .where('r.state', '!=', 'superseded')
        .where('d.seq', '>', (eb) =>
          eb.selectFrom('deliveries as own').select('own.seq').where('own.id', '=', delivery),
        )
        .orderBy('r.seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },
  };
}
