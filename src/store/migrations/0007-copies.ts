import { sql, type Kysely } from 'kysely';

/** What a delivery's body is known by, and which delivery had brought it before. */
export async function copies(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('deliveries').addColumn('digest', 'text').execute();
  await db.schema.alterTable('deliveries').addColumn('copy_of', 'text').execute();
  await sql`create unique index deliveries_by_digest on deliveries (digest) where digest is not null`.execute(
    db,
  );
}
