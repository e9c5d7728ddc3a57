import { sql, type Kysely } from 'kysely';

/** Where the sender of a delivery wants to hear what came of it. */
export async function callbacks(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table deliveries add column callback text').execute(db);
}
