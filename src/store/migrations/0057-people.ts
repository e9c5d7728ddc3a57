import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  'alter table sessions add column github_id bigint',
  `create table spent_states (
    digest text primary key,
    expires_at bigint not null
  )`,
];

/** GitHub's number of the user that a session is of, and which ways back from GitHub's log-in were used. */
export async function people(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
