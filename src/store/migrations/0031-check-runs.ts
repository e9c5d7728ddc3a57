import { sql, type Kysely } from 'kysely';

/** The check run at GitHub that a run has. */
export async function checkRuns(db: Kysely<unknown>): Promise<void> {
  await sql`alter table runs add column check_run_id bigint`.execute(db);
}
