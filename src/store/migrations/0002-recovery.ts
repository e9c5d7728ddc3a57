import { sql, type Kysely } from 'kysely';
import type { Engine } from '../engine.ts';
import { withSequence } from './with-sequence.ts';

/** How far deliveries were read, where branches were last seen, and which delivery told of it. */
export async function recovery(db: Kysely<unknown>, engine: Engine): Promise<void> {
  await db.schema
    .createTable('cursors')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('branch_heads')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('ref', 'text', (column) => column.notNull())
    .addColumn('sha', 'text', (column) => column.notNull())
    .addColumn('seen_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('branch_heads_pk', ['repository', 'ref'])
    .execute();
  await withSequence(db.schema.createTable('pushes'), engine)
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('ref', 'text', (column) => column.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text', (column) => column.notNull())
    .addColumn('delivery', 'text', (column) => column.notNull().unique())
    .addColumn('seen_at', 'bigint', (column) => column.notNull())
    .execute();
  await sql`create index pushes_by_ref on pushes (repository, ref, seq)`.execute(db);
}
