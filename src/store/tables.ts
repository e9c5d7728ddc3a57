import type { Generated } from 'kysely';

/** The rows as the database holds them: times in milliseconds since the epoch, structures as JSON text. */
export interface Database {
  deliveries: DeliveryTable;
  runs: RunTable;
  steps: StepTable;
  log_chunks: LogChunkTable;
  outbox: OutboxTable;
  environments: EnvironmentTable;
  spec_snapshots: SpecSnapshotTable;
  audit: AuditTable;
  cursors: CursorTable;
  branch_heads: BranchHeadTable;
  pushes: PushTable;
  pauses: PauseTable;
  gate_answers: GateAnswerTable;
  leases: LeaseTable;
  github_writes: GitHubWriteTable;
  repositories: RepositoryTable;
  store_probe: StoreProbeTable;
  schema_version: SchemaVersionTable;
  sessions: SessionTable;
  login_links: LoginLinkTable;
}

export interface DeliveryTable {
  seq: Generated<number>;
  id: string;
  event: string;
  action: string | null;
  repository: string | null;
  payload: string;
  state: 'pending' | 'processed' | 'failed';
  received_at: number;
  processed_at: number | null;
  attempts: Generated<number>;
  next_attempt_at: Generated<number>;
  lease_until: Generated<number>;
  outcome: string | null;
  /** Since when the payload is gone and only the id is kept. */
  pruned_at: Generated<number | null>;
  /** `IncomingDelivery.digest`; no two rows have the same. */
  digest: string | null;
  copy_of: string | null;
  /** 1 while those that came after it do not wait for it. */
  deferred: Generated<number>;
  /** What it was given up for, since git did not show it: a ref, and after a space the commit that it is to have. */
  missing: Generated<string | null>;
}

export interface RunTable {
  seq: Generated<number>;
  id: string;
  spec: string;
  spec_digest: string;
  repository: string;
  environment: string;
  lane: string;
  ref: string;
  branch: string | null;
  tag: string | null;
  sha: string;
  event: 'push' | 'release' | 'workflow_run' | 'hook' | 'deploy';
  delivery: string;
  cause: 'event' | 'retry' | 'rollback' | 'replay' | 'deploy';
  state: 'queued' | 'blocked' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'superseded';
  reason: string;
  fault: 'step' | 'mainsheet' | null;
  cancel_requested: string | null;
  attempts: number;
  outputs: string;
  /** A list of names; null for none. */
  masked_outputs: Generated<string | null>;
  sealed_outputs: Generated<string | null>;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  holder: string | null;
  lease_until: number;
  check_run_id: Generated<number | null>;
  deployment_id: number | null;
  work_tree: Generated<string | null>;
  /** When time alone may open, or end, what it waits for. */
  look_at: Generated<number | null>;
  /** Who asked for it by hand. */
  asked_by: Generated<string | null>;
}

export interface StepTable {
  run_id: string;
  position: number;
  name: string;
  state: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped';
  attempts: number;
  exit_code: number | null;
  reason: string;
  started_at: number | null;
  finished_at: number | null;
}

export interface LogChunkTable {
  run_id: string;
  seq: number;
  at: number;
  step: number;
  stream: 'stdout' | 'stderr' | 'mainsheet';
  text: string;
}

export interface OutboxTable {
  seq: Generated<number>;
  run_id: string;
  target: string;
  callback: string;
  state: 'pending' | 'sent' | 'obsolete' | 'dead';
  attempts: number;
  next_attempt_at: number;
  lease_until: number;
  error: string | null;
  created_at: number;
  finished_at: number | null;
  /** `IMPORTANCE`: lower goes first. */
  priority: Generated<number>;
  /** Whose budget at GitHub it is paid from; null for what does not go to GitHub. */
  account: string | null;
  /** Lane and spec of its run, whose newer runs make it less urgent. */
  lane: string | null;
}

export interface EnvironmentTable {
  lane: string;
  spec: string;
  environment: string;
  repository: string;
  run_id: string;
  sha: string;
  ref: string;
  deployed_at: number;
}

export interface SpecSnapshotTable {
  digest: string;
  name: string;
  file: string;
  text: string;
  created_at: number;
}

export interface AuditTable {
  seq: Generated<number>;
  at: number;
  actor: string;
  action: string;
  subject: string;
  detail: string;
}

export interface CursorTable {
  name: string;
  value: string;
  updated_at: number;
}

export interface BranchHeadTable {
  repository: string;
  ref: string;
  sha: string;
  seen_at: number;
  /** The last push that had been told when it was seen there. */
  push_seq: Generated<number>;
}

export interface PushTable {
  seq: Generated<number>;
  repository: string;
  ref: string;
  before: string | null;
  after: string;
  delivery: string;
  seen_at: number;
  /** 1: it was found by looking. */
  found: Generated<number>;
  /** The delivery of the found move that it is a part of. */
  told_by: Generated<string | null>;
}

export interface PauseTable {
  kind: 'spec' | 'lane';
  name: string;
  since: number;
  paused_by: string;
  reason: string;
  /** The run that it lets pass: the rollback that it was made for. */
  spared_run: Generated<string | null>;
}

export interface GateAnswerTable {
  run_id: string;
  person: string;
  kind: 'approve' | 'override';
  /** A list of positions. */
  gates: string;
  reason: string;
  at: number;
}

export interface LeaseTable {
  name: string;
  holder: string;
  lease_until: number;
}

export interface RepositoryTable {
  /** In small letters. */
  name: string;
  spelled: string;
  /** GitHub's number. */
  id: number;
  seen_at: number;
}

export interface GitHubWriteTable {
  seq: Generated<number>;
  /** Whose budget it was paid from. */
  account: string;
  /** When it was allowed. */
  at: number;
  importance: number;
}

export interface SessionTable {
  /** `Session.digest`. */
  digest: string;
  actor: string;
  created_at: number;
  renewed_at: number;
  seen_at: number;
  replaced_at: number | null;
}

export interface LoginLinkTable {
  digest: string;
  actor: string;
  expires_at: number;
}

/** One row, for finding out whether the database can be written. */
export interface StoreProbeTable {
  id: number;
  at: number;
  filler: string;
}

/** One row: what the newest migration is, and which an older Mainsheet must know to work on the database. */
export interface SchemaVersionTable {
  id: number;
  newest: string;
  needs: string;
}
