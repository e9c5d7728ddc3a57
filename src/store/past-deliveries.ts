import { sql } from 'kysely';
import type { DeliveryOutcome } from '../model/delivery.ts';
import { repositoriesOf } from './page.ts';
import { list, queries, when, type Db } from './query.ts';

/** A delivery that was decided on, with the payload that is still kept of it. */
export interface PastDelivery {
  /** Grows in the order in which deliveries came. */
  seq: number;
  id: string;
  event: string;
  repository: string | undefined;
  receivedAt: number;
  /** JSON. */
  payload: string;
  outcome: DeliveryOutcome;
}

/** What was decided before, for comparing it with other specs. */
export interface PastDeliveries {
  /**
   * The first `limit` deliveries after number `after` that came at or after `since` (milliseconds), in the order they came. Left out
   * are those of repositories that are not in `visible` (undefined: none), those without a payload, those that were given up, copies,
   * what was deployed by hand, and pushes that another delivery had told of.
   */
  after(
    after: number,
    since: number,
    limit: number,
    visible?: readonly string[],
  ): Promise<PastDelivery[]>;
  /** The number after which the newest `count` deliveries come, of all. */
  beforeNewest(count: number): Promise<number>;
}

export function createPastDeliveries(db: Db): PastDeliveries {
  return {
    async beforeNewest(count) {
      const row = await queries(db).first<{ newest: number | null }>`
        select max(seq) as newest from deliveries`;
      return Math.max(0, (row?.newest ?? 0) - count);
    },

    async after(after, since, limit, visible) {
      const rows = await queries(db).all<{
        seq: number;
        id: string;
        event: string;
        repository: string | null;
        received_at: number;
        payload: string;
        outcome: string;
      }>`
        select d.seq, d.id, d.event, d.repository, d.received_at, d.payload, d.outcome
        from deliveries d
        where d.seq > ${after} and d.received_at >= ${since} and d.state = 'processed'
          and d.payload <> '' and d.copy_of is null and d.event <> 'deploy' and d.outcome is not null
          and not exists (select 1 from pushes p where p.delivery = d.id and p.told_by is not null)
        ${when(repositoriesOf({ visible }), (names) => sql`and lower(d.repository) in ${list(names)}`)}
        order by d.seq
        limit ${limit}`;
      return rows.map(({ repository, received_at: receivedAt, outcome, ...row }) => ({
        ...row,
        repository: repository ?? undefined,
        receivedAt,
        outcome: JSON.parse(outcome) as DeliveryOutcome,
      }));
    },
  };
}
