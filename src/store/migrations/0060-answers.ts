import { sql, type Kysely } from 'kysely';

/** What the other side answered to a callback that was sent, as JSON. */
export async function answers(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table outbox add column answer text').execute(db);
}
