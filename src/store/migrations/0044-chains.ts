import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  `create table chains (
    run_id text not null,
    spec text not null,
    state text not null,
    due_at bigint not null,
    reason text not null,
    delivery text,
    primary key (run_id, spec)
  )`,
  `create index chains_due on chains (due_at) where state = 'waiting'`,
  'create index chains_by_delivery on chains (delivery) where delivery is not null',
];

/** The specs that runs start when they have ended. */
export async function chains(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
