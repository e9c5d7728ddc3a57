import { sql, type Kysely } from 'kysely';

/** The messages in chats that runs have: `message` is its number there. */
export async function chatMessages(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `create table chat_messages (
        run_id text not null,
        notify integer not null,
        message bigint not null,
        primary key (run_id, notify)
      )`,
    )
    .execute(db);
}
