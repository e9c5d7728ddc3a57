import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  `create table plans (
    id text primary key,
    repository text not null,
    number bigint not null,
    pull text not null,
    changed_at bigint not null,
    noted_at bigint not null,
    due_at bigint,
    attempts integer not null default 0,
    failures integer not null default 0,
    lease_until bigint not null default 0,
    comment_id bigint,
    check_run_id bigint,
    check_sha text,
    unique (repository, number)
  )`,
  'create index plans_due on plans (due_at) where due_at is not null',
  'create index plans_by_time on plans (noted_at)',
];

/** Pull requests of which GitHub shows, or is to show, what merging them would do. */
export async function plans(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
