import { sql, type Kysely } from 'kysely';

/** Which pushes are parts of a move that a look found, how far a look had heard, which deliveries let others go first,
 * and what those that were given up had waited for. */
export async function toldPushes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('pushes')
    .addColumn('found', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('pushes').addColumn('told_by', 'text').execute();
  await db.schema
    .alterTable('branch_heads')
    .addColumn('push_seq', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('deliveries')
    .addColumn('aside', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('deliveries').addColumn('missing', 'text').execute();
  await sql`create index deliveries_missing on deliveries (received_at) where missing is not null`.execute(
    db,
  );
  await sql`update pushes set found = 1 where delivery like 'reconcile-%'`.execute(db);
  await sql`update deliveries set aside = 1 where state = 'pending' and attempts >= 8`.execute(db);
  await sql`update branch_heads set push_seq = (select coalesce(max(seq), 0) from pushes)`.execute(
    db,
  );
}
