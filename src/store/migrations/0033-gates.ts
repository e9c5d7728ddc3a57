import { sql, type Kysely } from 'kysely';

/** What people answer to the gates of a run, when to look at a run again, who asked for it, and the run that a pause lets pass. */
export async function gates(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    `create table gate_answers (
      run_id text not null,
      person text not null,
      kind text not null,
      gates text not null,
      reason text not null,
      at bigint not null,
      primary key (run_id, person, kind)
    )`,
    `alter table runs add column look_at bigint`,
    `alter table runs add column asked_by text`,
    `alter table pauses add column spared_run text`,
    `create index runs_to_look_at on runs (look_at) where state = 'blocked' and look_at is not null`,
  ]) {
    await sql.raw(statement).execute(db);
  }
}
