import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  `create table sessions (
    digest text primary key,
    actor text not null,
    created_at bigint not null,
    renewed_at bigint not null,
    seen_at bigint not null,
    replaced_at bigint
  )`,
  'create index sessions_by_actor on sessions (actor)',
  `create table login_links (
    digest text primary key,
    actor text not null,
    expires_at bigint not null
  )`,
  'create index audit_by_subject on audit (subject, seq)',
];

/** Who is logged in to the dashboard, and links that log in once. What a browser holds is kept as its digest only. */
export async function sessions(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
