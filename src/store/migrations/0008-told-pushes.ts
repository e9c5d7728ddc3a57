import { sql, type Kysely } from 'kysely';

/** Which pushes are parts of a move that a look found, how far a look had heard, and which deliveries let others go first. */
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
  await sql`update pushes set found = 1 where delivery like 'reconcile-%'`.execute(db);
  await sql`update deliveries set aside = 1 where state = 'pending' and attempts >= 8`.execute(db);
  await sql`update branch_heads set push_seq = (select coalesce(max(seq), 0) from pushes)`.execute(
    db,
  );
}
