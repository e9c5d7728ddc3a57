import { sql } from 'kysely';
import type { DeliveryOutcome, DeliveryState } from '../model/delivery.ts';
import type { Run } from '../model/run.ts';
import { list, queries, type Db, type Row } from './query.ts';
import { runs } from './run-rows.ts';

/** Newest deliveries, of all repositories, among which those that name a commit are looked for. */
const LOOKED_AT = 20_000;
/** Runs and deliveries that are told of one commit, the newest. */
const MOST = 50;

/** A delivery whose payload has a commit's name somewhere in it. */
export interface NamingDelivery {
  id: string;
  event: string;
  state: DeliveryState;
  receivedAt: number;
  /** JSON. */
  payload: string;
  outcome: DeliveryOutcome | undefined;
}

/** What is known of one commit. `repositories`: all names of its repository; `sha`: its name, or seven letters of it and more. */
export function createCommits(db: Db) {
  const { all } = queries(db);
  const isOf = (repositories: readonly string[]) =>
    sql`lower(repository) in ${list(repositories.map((name) => name.toLowerCase()))}`;

  return {
    /** Its runs, newest first. */
    async runs(repositories: readonly string[], sha: string): Promise<Run[]> {
      const rows = await all<Row>`select * from runs
        where sha >= ${sha} and sha < ${`${sha}g`} and ${isOf(repositories)}
        order by seq desc limit ${MOST}`;
      return rows.map(runs.read);
    },

    /** Deliveries that have it in their payload, newest first, among the newest `LOOKED_AT`. */
    async deliveries(repositories: readonly string[], sha: string): Promise<NamingDelivery[]> {
      const rows = await all<{
        id: string;
        event: string;
        state: DeliveryState;
        received_at: number;
        payload: string;
        outcome: string | null;
      }>`select id, event, state, received_at, payload, outcome from deliveries
        where seq > (select coalesce(max(seq), 0) - ${LOOKED_AT} from deliveries)
        and ${isOf(repositories)} and payload like ${`%"${sha}%`}
        order by seq desc limit ${MOST}`;
      return rows.map(({ received_at: receivedAt, outcome, ...row }) => ({
        ...row,
        receivedAt,
        outcome: outcome === null ? undefined : (JSON.parse(outcome) as DeliveryOutcome),
      }));
    },
  };
}
