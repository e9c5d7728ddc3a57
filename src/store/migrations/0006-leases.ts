import type { Kysely } from 'kysely';

/** Who does what only one process does, and which work tree the steps of a run were done in. */
export async function leases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('leases')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('lease_until', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.alterTable('runs').addColumn('work_tree', 'text').execute();
}
