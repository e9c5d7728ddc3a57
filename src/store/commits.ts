import { sql } from 'kysely';
import { createFairTurn } from '../lib/fair-turn.ts';
import type { DeliveryOutcome, DeliveryState } from '../model/delivery.ts';
import type { Run } from '../model/run.ts';
import { list, queries, type Db, type Row, type Sql } from './query.ts';
import { runs } from './run-rows.ts';

/** Newest deliveries, of all repositories, among which those that name a commit are looked for. */
const LOOKED_AT = 20_000;
/** Of these so many in one statement. */
const AT_ONCE = 1000;
/** Runs and deliveries that are told of one commit, the newest. */
const MOST = 50;

/** A delivery whose payload has a commit's name somewhere in it. */
export interface NamingDelivery {
  id: string;
  event: string;
  /** In small letters; the queue of a hook's, which has a ":". */
  repository: string | null;
  state: DeliveryState;
  receivedAt: number;
  /** JSON. */
  payload: string;
  outcome: DeliveryOutcome | undefined;
}

type NamingRow = Omit<NamingDelivery, 'receivedAt' | 'outcome'> & {
  received_at: number;
  outcome: string | null;
};

/** The repositories of what is looked for, by all names that each has; undefined: any. */
type Repositories = readonly string[] | undefined;

/** What is known of one commit. `sha`: its name, or seven letters of it and more. */
export function createCommits(db: Db) {
  const { all, first } = queries(db);
  const isOf = (repositories: Repositories, hooks: readonly string[] = []) =>
    repositories === undefined
      ? sql`true`
      : hooks.length === 0
        ? sql`lower(repository) in ${small(repositories)}`
        : sql`(lower(repository) in ${small(repositories)} or event in ${list(hooks)})`;

  /** A part at a time, and others have their turn in between: payloads may be large. */
  async function look(which: Sql): Promise<NamingDelivery[]> {
    const fairTurn = createFairTurn();
    const newest = (await first<{ seq: number | null }>`select max(seq) as seq from deliveries`)
      ?.seq;
    const found: NamingDelivery[] = [];
    const last = (newest ?? 0) - LOOKED_AT;
    for (let to = newest ?? 0; to > Math.max(0, last) && found.length < MOST; to -= AT_ONCE) {
      const rows = await all<NamingRow>`
        select id, event, repository, state, received_at, payload, outcome from deliveries
        where seq > ${Math.max(last, to - AT_ONCE)} and seq <= ${to} and ${which}
        order by seq desc limit ${MOST - found.length}`;
      found.push(...rows.map(toNaming));
      await fairTurn();
    }
    return found;
  }

  return {
    /** Its runs, newest first. */
    async runs(repositories: Repositories, sha: string): Promise<Run[]> {
      const rows = await all<Row>`select * from runs
        where sha >= ${sha} and sha < ${`${sha}g`} and ${isOf(repositories)}
        order by seq desc limit ${MOST}`;
      return rows.map(runs.read);
    },

    /**
     * Deliveries that have it in their payload, newest first, among the newest `LOOKED_AT`. With `hooks`, the names of their events,
     * also requests to these, which belong to no repository.
     */
    deliveries: (repositories: Repositories, sha: string, hooks: readonly string[] = []) =>
      look(sql`${isOf(repositories, hooks)} and payload like ${`%"${sha}%`}`),

    /** Deliveries that seem to tell of a pull request: its own events, and pushes whose commits say that they are of it. */
    pull: (repositories: readonly string[], number: number) =>
      look(sql`${isOf(repositories)} and (
        (event = 'pull_request' and payload like ${`%"number":${number},%`})
        or (event like 'push%' and (payload like ${`%#${number})%`}
          or payload like ${`%pull request #${number} %`} or payload like ${`%!${number}%`})))`),
  };
}

function toNaming({ received_at: receivedAt, outcome, ...row }: NamingRow): NamingDelivery {
  return {
    ...row,
    receivedAt,
    outcome: outcome === null ? undefined : (JSON.parse(outcome) as DeliveryOutcome),
  };
}

const small = (names: readonly string[]) => list(names.map((name) => name.toLowerCase()));
