import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  `create table installations (
    repository text primary key,
    installation bigint not null,
    state text not null,
    changed_at bigint not null
  )`,
  'create index installations_by_number on installations (installation)',
];

/** On which repositories the App is or was installed, as GitHub's events tell. */
export async function installations(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
