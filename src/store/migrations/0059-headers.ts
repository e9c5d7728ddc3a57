import { sql, type Kysely } from 'kysely';

/** Headers of the request that brought a delivery, as JSON. */
export async function headers(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table deliveries add column headers text').execute(db);
}
