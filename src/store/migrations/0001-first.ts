import { sql, type Kysely } from 'kysely';
import type { Engine } from '../engine.ts';
import { withSequence } from './with-sequence.ts';

/** Deliveries, runs, steps, logs, callbacks, environments, snapshots of specs, audit. */
export async function first(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const sequenced = (table: string) => withSequence(db.schema.createTable(table), engine);

  await sequenced('deliveries')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('action', 'text')
    .addColumn('repository', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('received_at', 'bigint', (column) => column.notNull())
    .addColumn('processed_at', 'bigint')
    .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('next_attempt_at', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('lease_until', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('outcome', 'text')
    // Last, because SQLite walks through a large value to reach what stands behind it.
    .addColumn('payload', 'text', (column) => column.notNull())
    .execute();
  await sql`create index deliveries_pending on deliveries (repository, seq) where state = 'pending'`.execute(
    db,
  );

  // Claims go through what is pending in the order of arrival; without this SQLite goes through the whole table.
  await sql`create index deliveries_waiting on deliveries (seq) where state = 'pending'`.execute(
    db,
  );

  await sequenced('runs')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('spec', 'text', (column) => column.notNull())
    .addColumn('spec_digest', 'text', (column) => column.notNull())
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('environment', 'text', (column) => column.notNull())
    .addColumn('lane', 'text', (column) => column.notNull())
    .addColumn('ref', 'text', (column) => column.notNull())
    .addColumn('branch', 'text')
    .addColumn('tag', 'text')
    .addColumn('sha', 'text', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('delivery', 'text', (column) => column.notNull())
    .addColumn('cause', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('fault', 'text')
    .addColumn('cancel_requested', 'text')
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('outputs', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('owner', 'text')
    .addColumn('lease_until', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('deployment_id', 'bigint')
    .execute();
  // G2: whatever is retried or killed, a delivery makes one run of a spec. The database itself refuses the second.
  await sql`create unique index runs_once on runs (delivery, spec) where cause = 'event'`.execute(
    db,
  );
  // G3: one running run a lane, across replicas too. The database itself refuses the second.
  await sql`create unique index runs_one_per_lane on runs (lane) where state = 'running'`.execute(
    db,
  );
  await sql`create index runs_active on runs (lane, seq) where state in ('queued', 'blocked', 'running')`.execute(
    db,
  );
  await sql`create index runs_waiting on runs (seq) where state in ('queued', 'blocked', 'running')`.execute(
    db,
  );
  await sql`create index runs_by_spec on runs (spec, seq)`.execute(db);

  await db.schema
    .createTable('steps')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('exit_code', 'integer')
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addPrimaryKeyConstraint('steps_pk', ['run_id', 'position'])
    .execute();

  await db.schema
    .createTable('log_chunks')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('step', 'integer', (column) => column.notNull())
    .addColumn('stream', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('log_chunks_pk', ['run_id', 'seq'])
    .execute();

  await sequenced('outbox')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('callback', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_attempt_at', 'bigint', (column) => column.notNull())
    .addColumn('lease_until', 'bigint', (column) => column.notNull())
    .addColumn('error', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .execute();
  await sql`create index outbox_pending on outbox (target, seq) where state = 'pending'`.execute(
    db,
  );
  await sql`create index outbox_waiting on outbox (seq) where state = 'pending'`.execute(db);
  await sql`create index outbox_by_target on outbox (target, seq)`.execute(db);
  await sql`create index outbox_by_run on outbox (run_id, seq)`.execute(db);

  await db.schema
    .createTable('environments')
    .addColumn('lane', 'text', (column) => column.notNull())
    .addColumn('spec', 'text', (column) => column.notNull())
    .addColumn('environment', 'text', (column) => column.notNull())
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('sha', 'text', (column) => column.notNull())
    .addColumn('ref', 'text', (column) => column.notNull())
    .addColumn('deployed_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('environments_pk', ['lane', 'spec'])
    .execute();

  await db.schema
    .createTable('spec_snapshots')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('file', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();

  await sequenced('audit')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('detail', 'text', (column) => column.notNull())
    .execute();
}
