import type { Kysely } from 'kysely';

/** What repositories are and were called: GitHub's number stays when the name does not. */
export async function repositories(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('repositories')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('spelled', 'text', (column) => column.notNull())
    .addColumn('id', 'bigint', (column) => column.notNull())
    .addColumn('seen_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('repositories_id').on('repositories').column('id').execute();
}
