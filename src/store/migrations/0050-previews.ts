import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  `create table previews (
    spec text not null,
    repository text not null,
    number bigint not null,
    state text not null,
    run_id text not null,
    sha text not null,
    fork integer not null,
    changed_at bigint not null,
    noted_at bigint not null,
    due_at bigint not null,
    reason text not null,
    delivery text,
    comment_id bigint,
    primary key (spec, repository, number)
  )`,
  "create index previews_due on previews (due_at) where state = 'live'",
  'create index previews_by_time on previews (noted_at)',
];

/** Pull requests that are deployed, each to an environment of its own. */
export async function previews(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
