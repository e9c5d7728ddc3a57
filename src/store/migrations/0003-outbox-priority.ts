import { sql, type Kysely } from 'kysely';
import type { Engine } from '../engine.ts';
import { withSequence } from './with-sequence.ts';

/**
 * Callbacks get an order of importance and the account whose budget at GitHub pays for them, what is written there is noted, and
 * metrics get indexes.
 */
export async function outboxPriority(db: Kysely<unknown>, engine: Engine): Promise<void> {
  await db.schema
    .alterTable('outbox')
    .addColumn('priority', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('outbox').addColumn('account', 'text').execute();
  await db.schema.alterTable('outbox').addColumn('lane', 'text').execute();
  await sql`drop index outbox_waiting`.execute(db);
  await sql`create index outbox_waiting on outbox (priority, seq) where state = 'pending'`.execute(
    db,
  );
  await sql`create index outbox_ahead on outbox (target, priority) where state = 'pending'`.execute(
    db,
  );
  await sql`create index outbox_lane on outbox (lane, priority) where state = 'pending'`.execute(
    db,
  );
  await sql`create index outbox_dead on outbox (seq) where state = 'dead'`.execute(db);

  await withSequence(db.schema.createTable('github_writes'), engine)
    .addColumn('account', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('importance', 'integer', (column) => column.notNull())
    .execute();
  await sql`create index github_writes_account on github_writes (account, seq)`.execute(db);
  await sql`create index github_writes_at on github_writes (at)`.execute(db);
}
