import type { Kysely } from 'kysely';

/** What an older Mainsheet has to know before it may work on this database: see `schema-version.ts`. */
export async function schemaVersion(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('schema_version')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('newest', 'text', (column) => column.notNull())
    .addColumn('needs', 'text', (column) => column.notNull())
    .execute();
}
