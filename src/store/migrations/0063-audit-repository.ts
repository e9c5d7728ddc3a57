import { sql, type Kysely } from 'kysely';

/** Whose a spec was when something was done to it: its name may be another repository's later. */
export async function auditRepository(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table audit add column repository text').execute(db);
}
