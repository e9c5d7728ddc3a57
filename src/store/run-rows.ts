import type { Insertable, Selectable } from 'kysely';
import type { Run } from '../model/run.ts';
import type { RunTable } from './tables.ts';

/** A run before the store has given it its place in the order. */
export type NewRun = Omit<Run, 'sequence'>;

/** The row of a new run: nobody's yet. */
export function toRow(run: NewRun): Insertable<RunTable> {
  return {
    id: run.id,
    spec: run.spec,
    spec_digest: run.specDigest,
    repository: run.repository,
    environment: run.environment,
    lane: run.lane,
    ref: run.ref,
    branch: run.branch ?? null,
    tag: run.tag ?? null,
    sha: run.sha,
    event: run.event,
    delivery: run.delivery,
    cause: run.cause,
    state: run.state,
    reason: run.reason,
    fault: run.fault ?? null,
    cancel_requested: run.cancelRequested ?? null,
    attempts: run.attempts,
    outputs: JSON.stringify(run.outputs),
    created_at: run.createdAt,
    started_at: run.startedAt ?? null,
    finished_at: run.finishedAt ?? null,
    holder: null,
    lease_until: 0,
    deployment_id: null,
  };
}

/** A row as the rest of the code knows it. */
export function fromRow(row: Selectable<RunTable>): Run {
  return {
    id: row.id,
    spec: row.spec,
    specDigest: row.spec_digest,
    repository: row.repository,
    environment: row.environment,
    lane: row.lane,
    sequence: row.seq,
    ref: row.ref,
    branch: row.branch ?? undefined,
    tag: row.tag ?? undefined,
    sha: row.sha,
    event: row.event,
    delivery: row.delivery,
    cause: row.cause,
    state: row.state,
    reason: row.reason,
    fault: row.fault ?? undefined,
    cancelRequested: row.cancel_requested ?? undefined,
    attempts: row.attempts,
    outputs: JSON.parse(row.outputs) as Record<string, string>,
    ...(row.masked_outputs === null
      ? {}
      : { maskedOutputs: JSON.parse(row.masked_outputs) as string[] }),
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
  };
}
