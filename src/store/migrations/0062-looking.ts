import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  // What lists of deliveries are filtered by, without the payloads that stand between one row and the next. It only grows at its end.
  'create index deliveries_narrow on deliveries (seq, repository, event)',
  "create index deliveries_failed on deliveries (seq) where state = 'failed'",
];

/** What deliveries are looked for by, so that no payload is passed on the way. */
export async function looking(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
