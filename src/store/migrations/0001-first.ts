import { sql, type Kysely } from 'kysely';
import type { Engine } from '../engine.ts';

/**
 * The whole schema in SQL that both engines read. Times are milliseconds since the epoch, flags are 0 or 1, structures
 * are JSON text, and names of repositories that are only compared are in small letters.
 */
export async function first(db: Kysely<unknown>, engine: Engine): Promise<void> {
  for (const statement of [...DELIVERIES, ...RUNS, ...OUTBOX, ...REPOSITORIES, ...OTHERS]) {
    await sql.raw(statement.replace('SEQUENCE', SEQUENCE[engine])).execute(db);
  }
}

/** A number that grows with every row and is never given out twice: the order of arrival. */
const SEQUENCE = {
  sqlite: 'integer primary key autoincrement',
  postgres: 'bigserial primary key',
};

const DELIVERIES = [
  `create table deliveries (
    seq SEQUENCE,
    id text not null unique,
    event text not null,
    action text,
    repository text,
    state text not null,
    received_at bigint not null,
    processed_at bigint,
    attempts integer not null default 0,
    next_attempt_at bigint not null default 0,
    lease_until bigint not null default 0,
    outcome text,
    pruned_at bigint,
    digest text,
    copy_of text,
    deferred integer not null default 0,
    missing text,
    -- Last, because SQLite walks through a large value to reach what stands behind it.
    payload text not null
  )`,
  `create index deliveries_pending on deliveries (repository, seq) where state = 'pending'`,
  // Claims go through what is pending in the order of arrival; without this SQLite goes through the whole table.
  `create index deliveries_waiting on deliveries (seq) where state = 'pending'`,
  `create index deliveries_whole on deliveries (seq) where state <> 'pending' and pruned_at is null`,
  `create index deliveries_pruned on deliveries (received_at) where pruned_at is not null`,
  `create index deliveries_missing on deliveries (received_at) where missing is not null`,
  // G2: a body that comes under two ids counts once.
  `create unique index deliveries_by_digest on deliveries (digest) where digest is not null`,
];

const RUNS = [
  `create table runs (
    seq SEQUENCE,
    id text not null unique,
    spec text not null,
    spec_digest text not null,
    repository text not null,
    environment text not null,
    lane text not null,
    ref text not null,
    branch text,
    tag text,
    sha text not null,
    event text not null,
    delivery text not null,
    cause text not null,
    state text not null,
    reason text not null,
    fault text,
    cancel_requested text,
    attempts integer not null,
    outputs text not null,
    masked_outputs text,
    sealed_outputs text,
    created_at bigint not null,
    started_at bigint,
    finished_at bigint,
    holder text,
    lease_until bigint not null default 0,
    deployment_id bigint,
    work_tree text
  )`,
  // G2: whatever is retried or killed, a delivery makes one run of a spec. The database itself refuses the second.
  `create unique index runs_once on runs (delivery, spec) where cause = 'event'`,
  // G3: one running run a lane, across replicas too. The database itself refuses the second.
  `create unique index runs_one_per_lane on runs (lane) where state = 'running'`,
  `create index runs_active on runs (lane, seq) where state in ('queued', 'blocked', 'running')`,
  `create index runs_waiting on runs (seq) where state in ('queued', 'blocked', 'running')`,
  `create index runs_by_spec on runs (spec, seq)`,
  `create index runs_by_delivery on runs (delivery, seq)`,
  `create index runs_by_digest on runs (spec_digest)`,
  `create index runs_by_sha on runs (sha, seq)`,
  // By an expression, because SQLite would take it for what is to be read through runs_active.
  `create index runs_by_lane on runs (lower(lane), seq)`,
  `create index runs_by_end on runs (state, seq) where state in ('succeeded', 'failed', 'cancelled', 'superseded')`,
  `create index runs_by_repository on runs (lower(repository), seq)`,
  `create index runs_succeeded on runs (spec, lane, seq, sha) where state = 'succeeded'`,
  `create table steps (
    run_id text not null,
    position integer not null,
    name text not null,
    state text not null,
    attempts integer not null,
    exit_code integer,
    reason text not null,
    started_at bigint,
    finished_at bigint,
    kept text,
    primary key (run_id, position)
  )`,
  `create table log_chunks (
    run_id text not null,
    seq integer not null,
    at bigint not null,
    step integer not null,
    stream text not null,
    text text not null,
    primary key (run_id, seq)
  )`,
];

const OUTBOX = [
  `create table outbox (
    seq SEQUENCE,
    run_id text not null,
    target text not null,
    callback text not null,
    state text not null,
    attempts integer not null,
    next_attempt_at bigint not null,
    lease_until bigint not null,
    error text,
    created_at bigint not null,
    finished_at bigint,
    priority integer not null default 0,
    account text,
    lane text
  )`,
  `create index outbox_pending on outbox (target, seq) where state = 'pending'`,
  `create index outbox_waiting on outbox (priority, seq) where state = 'pending'`,
  `create index outbox_ahead on outbox (target, priority) where state = 'pending'`,
  `create index outbox_lane on outbox (lane, priority) where state = 'pending'`,
  `create index outbox_by_target on outbox (target, seq)`,
  `create index outbox_by_run on outbox (run_id, seq)`,
  `create index outbox_dead on outbox (seq) where state = 'dead'`,
  `create index outbox_obsolete on outbox (seq) where state = 'obsolete'`,
  `create table github_writes (
    seq SEQUENCE,
    account text not null,
    at bigint not null,
    importance integer not null
  )`,
  `create index github_writes_account on github_writes (account, seq)`,
  `create index github_writes_at on github_writes (at)`,
];

const REPOSITORIES = [
  `create table repositories (
    name text primary key,
    spelled text not null,
    id bigint not null,
    seen_at bigint not null
  )`,
  `create index repositories_id on repositories (id)`,
  `create table pushes (
    seq SEQUENCE,
    repository text not null,
    ref text not null,
    before text,
    after text not null,
    delivery text not null unique,
    seen_at bigint not null,
    found integer not null default 0,
    told_by text
  )`,
  `create index pushes_by_ref on pushes (repository, ref, seq)`,
  `create index pushes_by_time on pushes (seen_at)`,
  `create table branch_heads (
    repository text not null,
    ref text not null,
    sha text not null,
    seen_at bigint not null,
    push_seq bigint not null default 0,
    primary key (repository, ref)
  )`,
];

const OTHERS = [
  `create table environments (
    lane text not null,
    spec text not null,
    environment text not null,
    repository text not null,
    run_id text not null,
    sha text not null,
    ref text not null,
    deployed_at bigint not null,
    primary key (lane, spec)
  )`,
  `create table spec_snapshots (
    digest text primary key,
    name text not null,
    file text not null,
    text text not null,
    created_at bigint not null
  )`,
  `create index snapshots_by_time on spec_snapshots (created_at)`,
  `create table audit (
    seq SEQUENCE,
    at bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text not null
  )`,
  `create index audit_by_time on audit (at)`,
  `create table pauses (
    kind text not null,
    name text not null,
    since bigint not null,
    paused_by text not null,
    reason text not null,
    primary key (kind, name)
  )`,
  `create table leases (name text primary key, holder text not null, lease_until bigint not null)`,
  `create table cursors (name text primary key, value text not null, updated_at bigint not null)`,
  `create table schema_version (id integer primary key, newest text not null, needs text not null)`,
  `create table store_probe (id integer primary key, at bigint not null, filler text not null)`,
];
