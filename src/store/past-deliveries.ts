import { sql } from 'kysely';
import type { DeliveryOutcome } from '../model/delivery.ts';
import { createMapping } from './mapping.ts';
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

const mapping = createMapping<PastDelivery>({ json: ['outcome'] });

/** What was decided before, for comparing it with other specs. */
export function createPastDeliveries(db: Db) {
  return {
    /** The number after which the newest `count` deliveries come, of all. */
    async beforeNewest(count: number): Promise<number> {
      const newest = await queries(db).value<number>`select max(seq) from deliveries`;
      return Math.max(0, (newest ?? 0) - count);
    },

    /**
     * The first `limit` deliveries after number `after` that came at or after `since` (milliseconds), in the order they came. Left out
     * are those of repositories that are not in `visible` (undefined: none), those without a payload, those that were given up, copies,
     * what was deployed by hand, and pushes that another delivery had told of.
     */
    after: (after: number, since: number, limit: number, visible?: readonly string[]) =>
      mapping.of(db).all`
        select d.seq, d.id, d.event, d.repository, d.received_at, d.payload, d.outcome
        from deliveries d
        where d.seq > ${after} and d.received_at >= ${since} and d.state = 'processed'
          and d.payload <> '' and d.copy_of is null and d.event <> 'deploy' and d.outcome is not null
          and not exists (select 1 from pushes p where p.delivery = d.id and p.told_by is not null)
        ${when(repositoriesOf({ visible }), (names) => sql`and lower(d.repository) in ${list(names)}`)}
        order by d.seq
        limit ${limit}`,
  };
}
