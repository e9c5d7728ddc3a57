import { sql, type Kysely } from 'kysely';

/** Callbacks get an order of importance and the account whose budget at GitHub pays for them; metrics get indexes. */
export async function outboxPriority(db: Kysely<unknown>): Promise<void> {
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
  // The writes of the last hour, for the budget.
  await sql`create index outbox_sent on outbox (finished_at) where state = 'sent' and account is not null`.execute(
    db,
  );
  await sql`create index outbox_dead on outbox (seq) where state = 'dead'`.execute(db);
}
