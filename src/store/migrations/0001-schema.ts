import { sql } from 'kysely';
import { engineOf, type Db } from '../query.ts';

/** A number that grows with every row and is never given out twice: the order of arrival. */
const SEQUENCE = {
  sqlite: 'integer primary key autoincrement',
  postgres: 'bigserial primary key',
};

/**
 * The whole schema in SQL that both engines read. Times are milliseconds since the epoch, flags are 0 or 1, structures
 * are JSON text, and names of repositories that are only compared are in small letters.
 */
export async function schema(db: Db): Promise<void> {
  const statements = [DELIVERIES, RUNS, OUTBOX, REPOSITORIES, PULL_REQUESTS, PEOPLE, OTHERS]
    .join('')
    .replaceAll('SEQUENCE', SEQUENCE[engineOf(db)])
    .split(';\n');
  for (const statement of statements.slice(0, -1)) await sql.raw(statement).execute(db);
}

const DELIVERIES = `
  create table deliveries (
    seq SEQUENCE,
    id text not null unique,
    event text not null,
    action text,
    -- Of one without a repository: the queue in which it is taken in order.
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
    -- Where its sender wants to hear what came of it.
    callback text,
    headers text,
    -- Last, because SQLite walks through a large value to reach what stands behind it.
    payload text not null
  );
  create index deliveries_pending on deliveries (repository, seq) where state = 'pending';
  -- Claims go through what is pending in the order of arrival; without this SQLite goes through the whole table.
  create index deliveries_waiting on deliveries (seq) where state = 'pending';
  create index deliveries_whole on deliveries (seq) where state <> 'pending' and pruned_at is null;
  create index deliveries_pruned on deliveries (received_at) where pruned_at is not null;
  create index deliveries_missing on deliveries (received_at) where missing is not null;
  -- G2: a body that comes under two ids counts once.
  create unique index deliveries_by_digest on deliveries (digest) where digest is not null;
  -- What lists are filtered by, without the payloads that stand between one row and the next. It only grows at its end.
  create index deliveries_narrow on deliveries (seq, repository, event);
  create index deliveries_failed on deliveries (seq) where state = 'failed';
  -- The same words stand in "inbox.lastOfHook": without them no engine uses the index.
  create index deliveries_of_hooks on deliveries (repository, seq) where substr(repository, 1, 5) = 'hook:';
`;

const RUNS = `
  create table runs (
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
    asked_by text,
    batch text,
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
    look_at bigint,
    holder text,
    lease_until bigint not null default 0,
    work_tree text
  );
  -- G2: whatever is retried or killed, a delivery makes one run of a spec. The database itself refuses the second.
  create unique index runs_once on runs (delivery, spec) where cause = 'event';
  -- G3: one running run a lane, across replicas too. The database itself refuses the second.
  create unique index runs_one_per_lane on runs (lane) where state = 'running';
  -- Nor two of a spec in one environment, when its lane has changed meanwhile.
  create unique index runs_one_per_place on runs (spec, environment) where state = 'running' and event <> 'deployment_protection_rule';
  create index runs_of_place on runs (spec, environment, seq) where state in ('queued', 'blocked', 'running');
  create index runs_active on runs (lane, seq) where state in ('queued', 'blocked', 'running');
  -- They may wait for days, behind thousands that came after them.
  create index runs_blocked on runs (seq, spec) where state = 'blocked';
  create index runs_waiting on runs (seq) where state in ('queued', 'blocked', 'running');
  create index runs_to_look_at on runs (look_at) where state = 'blocked' and look_at is not null;
  create index runs_by_spec on runs (spec, seq);
  create index runs_by_delivery on runs (delivery, seq);
  create index runs_by_digest on runs (spec_digest);
  create index runs_by_sha on runs (sha, seq);
  create index runs_by_batch on runs (batch) where batch is not null;
  -- By an expression, because SQLite would take it for what is to be read through runs_active.
  create index runs_by_lane on runs (lower(lane), seq);
  create index runs_by_end on runs (state, seq) where state in ('succeeded', 'failed', 'cancelled', 'superseded');
  create index runs_by_repository on runs (lower(repository), seq);
  create index runs_succeeded on runs (spec, lane, seq, sha) where state = 'succeeded';
  -- The history of an environment: what was deployed when.
  create index runs_deployed on runs (spec, lane, finished_at, seq) where state = 'succeeded';
  create index runs_ended on runs (finished_at, seq) where state in ('succeeded', 'failed');

  create table steps (
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
  );

  create table log_chunks (
    run_id text not null,
    seq integer not null,
    at bigint not null,
    step integer not null,
    stream text not null,
    text text not null,
    primary key (run_id, seq)
  );

  -- What people answer to the gates of a run, and to those in the middle of it.
  create table gate_answers (
    run_id text not null,
    person text not null,
    kind text not null,
    gates text not null,
    reason text not null,
    at bigint not null,
    primary key (run_id, person, kind)
  );

  -- What a step of a run waits for in the middle of it.
  create table step_gates (
    run_id text not null primary key,
    step integer not null,
    id text not null,
    since bigint not null,
    detail text not null
  );

  -- The specs that runs start when they have ended.
  create table chains (
    run_id text not null,
    spec text not null,
    state text not null,
    due_at bigint not null,
    reason text not null,
    delivery text,
    primary key (run_id, spec)
  );
  create index chains_due on chains (due_at) where state = 'waiting';
  create index chains_by_delivery on chains (delivery) where delivery is not null;

  -- Runs that gather events, and the deliveries that they took.
  create table batches (
    run_id text primary key,
    spec text not null,
    lane text not null,
    key text not null,
    closes_at bigint not null,
    closed_at bigint,
    bytes bigint not null
  );
  create unique index batches_open on batches (spec, lane, key) where closed_at is null;
  create table batch_deliveries (
    spec text not null,
    delivery text not null,
    batch text not null,
    primary key (spec, delivery)
  );
  create index batch_deliveries_by_batch on batch_deliveries (batch);
  create index batch_deliveries_by_delivery on batch_deliveries (delivery);
`;

const OUTBOX = `
  create table outbox (
    seq SEQUENCE,
    run_id text not null,
    target text not null,
    callback text not null,
    state text not null,
    attempts integer not null,
    next_attempt_at bigint not null,
    lease_until bigint not null,
    error text,
    answer text,
    created_at bigint not null,
    finished_at bigint,
    priority integer not null default 0,
    account text,
    lane text
  );
  create index outbox_pending on outbox (target, seq) where state = 'pending';
  create index outbox_waiting on outbox (priority, seq) where state = 'pending';
  create index outbox_ahead on outbox (target, priority) where state = 'pending';
  create index outbox_lane on outbox (lane, priority) where state = 'pending';
  create index outbox_by_target on outbox (target, seq);
  create index outbox_by_run on outbox (run_id, seq);
  create index outbox_dead on outbox (seq) where state = 'dead';
  create index outbox_obsolete on outbox (seq) where state = 'obsolete';

  create table github_writes (
    seq SEQUENCE,
    account text not null,
    at bigint not null,
    importance integer not null
  );
  create index github_writes_account on github_writes (account, seq);
  create index github_writes_at on github_writes (at);

  -- The numbers that the other side gave to what was made there: a Deployment, a check run, a message, a comment.
  create table outbox_numbers (name text primary key, run_id text not null, number bigint not null);
  create index outbox_numbers_by_run on outbox_numbers (run_id);
`;

const REPOSITORIES = `
  create table repositories (
    name text primary key,
    spelled text not null,
    id bigint not null,
    seen_at bigint not null
  );
  create index repositories_id on repositories (id);

  create table pushes (
    seq SEQUENCE,
    repository text not null,
    ref text not null,
    before text not null,
    after text not null,
    delivery text not null unique,
    seen_at bigint not null,
    found integer not null default 0,
    told_by text
  );
  create index pushes_by_ref on pushes (repository, ref, seq);
  create index pushes_found on pushes (repository, ref) where found = 1;
  create index pushes_by_time on pushes (seen_at);

  create table branch_heads (
    repository text not null,
    ref text not null,
    sha text not null,
    seen_at bigint not null,
    push_seq bigint not null default 0,
    -- Since when no process is known to have a spec of the repository.
    unnamed_at bigint,
    primary key (repository, ref)
  );

  -- On which repositories the App is or was installed.
  create table installations (
    repository text primary key,
    installation bigint not null,
    state text not null,
    changed_at bigint not null
  );
  create index installations_by_number on installations (installation);
`;

const PULL_REQUESTS = `
  -- Those of which GitHub shows, or is to show, what merging them would do.
  create table plans (
    id text primary key,
    repository text not null,
    number bigint not null,
    pull text not null,
    changed_at bigint not null,
    noted_at bigint not null,
    due_at bigint,
    attempts integer not null default 0,
    failures integer not null default 0,
    lease_until bigint not null default 0,
    unique (repository, number)
  );
  create index plans_due on plans (due_at) where due_at is not null;
  create index plans_by_time on plans (noted_at);

  -- Those that are deployed, each to an environment of its own.
  create table previews (
    spec text not null,
    repository text not null,
    number bigint not null,
    state text not null,
    run_id text not null,
    sha text not null,
    fork integer not null,
    closed integer not null,
    changed_at bigint not null,
    noted_at bigint not null,
    due_at bigint not null,
    reason text not null,
    delivery text,
    primary key (spec, repository, number)
  );
  create index previews_due on previews (due_at) where state = 'live';
  create index previews_open on previews (due_at) where state <> 'ended';
  create index previews_by_time on previews (noted_at);
`;

const PEOPLE = `
  -- What a browser holds is kept as its digest only.
  create table sessions (
    digest text primary key,
    actor text not null,
    github_id bigint,
    created_at bigint not null,
    renewed_at bigint not null,
    seen_at bigint not null,
    replaced_at bigint
  );
  create index sessions_by_actor on sessions (actor);
  create table login_links (digest text primary key, actor text not null, expires_at bigint not null);
  -- Which ways back from the log-in at GitHub were used.
  create table spent_states (digest text primary key, expires_at bigint not null);

  create table audit (
    seq SEQUENCE,
    at bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text not null,
    -- Whose a spec was when something was done to it: its name may be another repository's later.
    repository text,
    origin text
  );
  create index audit_by_time on audit (at);
  create index audit_by_subject on audit (subject, seq);
  create index audit_by_actor on audit (actor, seq);
  create index audit_by_action on audit (action, seq);

  -- Hooks that were made through the API. Of their secrets only the names are kept: the secrets follow from a key.
  create table hooks (
    seq SEQUENCE,
    id text not null unique,
    hook text not null,
    owner text not null,
    specs text not null,
    inputs text not null,
    secrets text not null,
    created_at bigint not null,
    created_by text not null,
    expires_at bigint not null
  );
  create index hooks_by_owner on hooks (owner, seq);
  create index hooks_by_expiry on hooks (expires_at);

  create table pauses (
    kind text not null,
    name text not null,
    since bigint not null,
    paused_by text not null,
    reason text not null,
    -- The run that it lets pass.
    spared_run text,
    primary key (kind, name)
  );
`;

const OTHERS = `
  create table environments (
    lane text not null,
    spec text not null,
    environment text not null,
    repository text not null,
    run_id text not null,
    sha text not null,
    ref text not null,
    deployed_at bigint not null,
    primary key (lane, spec)
  );
  create index environments_by_spec on environments (spec, environment);

  create table spec_snapshots (
    digest text primary key,
    name text not null,
    file text not null,
    text text not null,
    created_at bigint not null
  );
  create index snapshots_by_time on spec_snapshots (created_at);

  create table leases (name text primary key, holder text not null, lease_until bigint not null);
  create table cursors (name text primary key, value text not null, updated_at bigint not null);
  create table schema_changes (name text primary key, breaks integer);
  create table store_probe (id integer primary key, at bigint not null, filler text not null);
`;
