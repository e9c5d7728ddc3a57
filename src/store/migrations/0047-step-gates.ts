import { sql, type Kysely } from 'kysely';

/** What a step of a run waits for in the middle of it; the answers are among those to the other gates. */
export async function stepGates(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `create table step_gates (
        run_id text not null primary key,
        step integer not null,
        id text not null,
        since bigint not null,
        detail text not null
      )`,
    )
    .execute(db);
}
