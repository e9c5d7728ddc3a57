import { sql } from 'kysely';
import { createFairTurn } from '../lib/fair-turn.ts';
import type { DeliveryOutcome, DeliveryState } from '../model/delivery.ts';
import { createMapping } from './mapping.ts';
import { list, queries, when, type Db, type Sql } from './query.ts';

/** Newest deliveries, of all repositories, among which those that name a commit are looked for. */
const LOOKED_AT = 150_000;
/** Payloads that are read for that, the newest. */
const MOST_READ = 5000;
/** Of these so many in one statement. */
const AT_ONCE = 1000;
/** Deliveries that are found of one commit or pull request, the newest. */
const MOST = 50;

/** A delivery that came before, with the payload that is still kept of it. */
export interface PastDelivery {
  /** Grows in the order in which deliveries came. */
  seq: number;
  id: string;
  event: string;
  /** In small letters; the queue of a hook's, which has a ":". */
  repository: string | undefined;
  state: DeliveryState;
  receivedAt: number;
  /** JSON. */
  payload: string;
  outcome: DeliveryOutcome | undefined;
}

const COLUMNS = sql`seq, id, event, repository, state, received_at, payload, outcome`;
const mapping = createMapping<PastDelivery>({ json: ['outcome'] });

/** The repositories of what is looked for, by all names that each has; undefined: any. */
type Repositories = readonly string[] | undefined;

/** What came before, for explaining what became of it, and for comparing that with other specs. */
export function createPastDeliveries(db: Db) {
  const { value } = queries(db);
  const { all } = mapping.of(db);
  const isOf = (repositories: Repositories, hooks: readonly string[] = []) =>
    repositories === undefined
      ? sql`true`
      : sql`(repository in ${small(repositories)} or event in ${list(hooks)})`;

  /**
   * A part at a time, and others have their turn in between: payloads may be large. `whose` needs no payload, and says which are
   * read.
   */
  async function look(whose: Sql, which: Sql): Promise<PastDelivery[]> {
    const fairTurn = createFairTurn();
    const found: PastDelivery[] = [];
    let to = (await value<number>`select max(seq) from deliveries`) ?? 0;
    const last = to - LOOKED_AT;
    for (let read = 0; read < MOST_READ && found.length < MOST; read += AT_ONCE) {
      const part = sql`deliveries where seq > ${last} and seq <= ${to} and ${whose}
        order by seq desc limit ${AT_ONCE}`;
      const some = await all`
        select ${COLUMNS} from deliveries
        where seq in (select seq from ${part}) and ${which}
        order by seq desc limit ${MOST - found.length}`;
      found.push(...some);
      const end = await value<number>`select min(seq) from (select seq from ${part}) as part`;
      if (end === undefined) break;
      to = end - 1;
      await fairTurn();
    }
    return found;
  }

  return {
    /** The number after which the newest `count` deliveries come, of all. */
    async beforeNewest(count: number): Promise<number> {
      const newest = await value<number>`select max(seq) from deliveries`;
      return Math.max(0, (newest ?? 0) - count);
    },

    /**
     * The first `limit` deliveries after number `after` that came at or after `since` (milliseconds), in the order they came. Left out
     * are those of repositories that are not in `visible` (undefined: none), those without a payload, those that were given up, copies,
     * what was deployed by hand, and pushes that another delivery had told of.
     */
    after: (after: number, since: number, limit: number, visible?: readonly string[]) =>
      all`select ${COLUMNS} from deliveries d
        where d.seq > ${after} and d.received_at >= ${since} and d.state = 'processed'
          and d.payload <> '' and d.copy_of is null and d.event <> 'deploy' and d.outcome is not null
          and not exists (select 1 from pushes p where p.delivery = d.id and p.told_by is not null)
        ${when(visible, (names) => sql`and lower(d.repository) in ${list(names)}`)}
        order by d.seq limit ${limit}`,

    /**
     * Those that have a commit's name, or seven letters of it and more, in their payload, newest first, among the newest `LOOKED_AT`,
     * of which `MOST_READ` are read. With `hooks`, the names of their events, also requests to these, which belong to no repository.
     */
    naming: (repositories: Repositories, sha: string, hooks: readonly string[] = []) =>
      look(isOf(repositories, hooks), sql`payload like ${`%"${sha}%`}`),

    /** Those that seem to tell of a pull request: its own events, and pushes whose commits say that they are of it. */
    ofPull: (repositories: readonly string[], number: number) =>
      look(
        sql`${isOf(repositories)} and (event = 'pull_request' or event like 'push%')`,
        sql`((event = 'pull_request' and payload like ${`%"number":${number},%`})
        or (event like 'push%' and (payload like ${`%#${number})%`}
          or payload like ${`%pull request #${number} %`} or payload like ${`%!${number}%`})))`,
      ),
  };
}

const small = (names: readonly string[]) => list(names.map((name) => name.toLowerCase()));
