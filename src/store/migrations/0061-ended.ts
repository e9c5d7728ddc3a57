import { sql, type Kysely } from 'kysely';

/** What deployed in a range of time, or failed to. */
export async function ended(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `create index runs_ended on runs (finished_at, seq) where state in ('succeeded', 'failed')`,
    )
    .execute(db);
}
