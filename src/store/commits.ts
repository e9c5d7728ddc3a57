import { sql } from 'kysely';
import { createFairTurn } from '../lib/fair-turn.ts';
import type { DeliveryOutcome, DeliveryState } from '../model/delivery.ts';
import { createMapping } from './mapping.ts';
import { list, queries, when, type Db, type Sql } from './query.ts';
import { runs } from './run-rows.ts';

/** Newest deliveries, of all repositories, among which those that name a commit are looked for. */
const LOOKED_AT = 150_000;
/** Payloads that are read for that, the newest. */
const MOST_READ = 5000;
/** Of these so many in one statement. */
const AT_ONCE = 1000;
/** Runs and deliveries that are told of one commit, the newest. */
const MOST = 50;

/** A delivery whose payload has a commit's name somewhere in it. */
export interface NamingDelivery {
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

const mapping = createMapping<NamingDelivery>({ json: ['outcome'] });

/** The repositories of what is looked for, by all names that each has; undefined: any. */
type Repositories = readonly string[] | undefined;

/** What is known of one commit. `sha`: its name, or seven letters of it and more. */
export function createCommits(db: Db) {
  const { value } = queries(db);
  const isOf = (repositories: Repositories, hooks: readonly string[] = []) =>
    repositories === undefined
      ? sql`true`
      : hooks.length === 0
        ? sql`repository in ${small(repositories)}`
        : sql`(repository in ${small(repositories)} or event in ${list(hooks)})`;

  /**
   * A part at a time, and others have their turn in between: payloads may be large. `whose` needs no payload, and says which are
   * read.
   */
  async function look(whose: Sql, which: Sql): Promise<NamingDelivery[]> {
    const fairTurn = createFairTurn();
    const found: NamingDelivery[] = [];
    let to = (await value<number>`select max(seq) from deliveries`) ?? 0;
    const last = to - LOOKED_AT;
    for (let read = 0; read < MOST_READ && found.length < MOST; read += AT_ONCE) {
      const part = sql`deliveries where seq > ${last} and seq <= ${to} and ${whose}
        order by seq desc limit ${AT_ONCE}`;
      const some = await mapping.of(db).all`
        select id, event, repository, state, received_at, payload, outcome from deliveries
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
    /** Its runs, newest first. */
    runs: (repositories: Repositories, sha: string) =>
      runs.of(db).all`select * from runs
        where sha >= ${sha} and sha < ${`${sha}g`}
        ${when(repositories, (names) => sql`and lower(repository) in ${small(names)}`)}
        order by seq desc limit ${MOST}`,

    /**
     * Deliveries that have it in their payload, newest first, among the newest `LOOKED_AT`, of which `MOST_READ` are read. With `hooks`, the names of their events,
     * also requests to these, which belong to no repository.
     */
    deliveries: (repositories: Repositories, sha: string, hooks: readonly string[] = []) =>
      look(isOf(repositories, hooks), sql`payload like ${`%"${sha}%`}`),

    /** Deliveries that seem to tell of a pull request: its own events, and pushes whose commits say that they are of it. */
    pull: (repositories: readonly string[], number: number) =>
      look(
        sql`${isOf(repositories)} and (event = 'pull_request' or event like 'push%')`,
        sql`(
        (event = 'pull_request' and payload like ${`%"number":${number},%`})
        or (event like 'push%' and (payload like ${`%#${number})%`}
          or payload like ${`%pull request #${number} %`} or payload like ${`%!${number}%`})))`,
      ),
  };
}

const small = (names: readonly string[]) => list(names.map((name) => name.toLowerCase()));
