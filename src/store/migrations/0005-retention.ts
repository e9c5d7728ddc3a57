import { sql, type Kysely } from 'kysely';

/** What retention and lists look through gets indexes, a delivery that lost its payload says so, and `createProbe` has a table. */
export async function retention(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('deliveries').addColumn('pruned_at', 'bigint').execute();
  await db.schema
    .createTable('store_probe')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('filler', 'text', (column) => column.notNull())
    .execute();
  for (const statement of [
    sql`create index deliveries_whole on deliveries (seq) where state <> 'pending' and pruned_at is null`,
    sql`create index deliveries_pruned on deliveries (received_at) where pruned_at is not null`,
    sql`create index runs_by_delivery on runs (delivery, seq)`,
    sql`create index runs_by_digest on runs (spec_digest)`,
    sql`create index runs_by_sha on runs (sha, seq)`,
    // By an expression, because SQLite would take it for what is to be read through `runs_active`.
    sql`create index runs_by_lane on runs (lower(lane), seq)`,
    sql`create index runs_by_end on runs (state, seq) where state in ('succeeded', 'failed', 'cancelled', 'superseded')`,
    sql`create index runs_by_repository on runs (lower(repository), seq)`,
    sql`create index runs_succeeded on runs (spec, lane, seq, sha) where state = 'succeeded'`,
    sql`create index if not exists outbox_dead on outbox (seq) where state = 'dead'`,
    sql`create index outbox_obsolete on outbox (seq) where state = 'obsolete'`,
    sql`create index snapshots_by_time on spec_snapshots (created_at)`,
    sql`create index audit_by_time on audit (at)`,
    sql`create index pushes_by_time on pushes (seen_at)`,
  ]) {
    await statement.execute(db);
  }
}
