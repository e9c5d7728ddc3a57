import { sql, type Kysely } from 'kysely';

/** Runs that gather events, and the deliveries that they took. */
export async function batches(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    `create table batches (
      run_id text primary key,
      spec text not null,
      lane text not null,
      key text not null,
      closes_at bigint not null,
      closed_at bigint,
      bytes bigint not null
    )`,
    'create unique index batches_open on batches (spec, lane, key) where closed_at is null',
    `create table batch_deliveries (
      spec text not null,
      delivery text not null,
      batch text not null,
      primary key (spec, delivery)
    )`,
    'create index batch_deliveries_by_batch on batch_deliveries (batch)',
    'create index batch_deliveries_by_delivery on batch_deliveries (delivery)',
    'alter table runs add column batch text',
    'create index runs_by_batch on runs (batch) where batch is not null',
  ]) {
    await sql.raw(statement).execute(db);
  }
}
