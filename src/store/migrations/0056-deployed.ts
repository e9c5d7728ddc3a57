import { sql, type Kysely } from 'kysely';

/** What was deployed when, in the order in which it came to be: the history of an environment. */
export async function deployed(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `create index runs_deployed on runs (spec, lane, finished_at, seq) where state = 'succeeded'`,
    )
    .execute(db);
}
