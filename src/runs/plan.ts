import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { ByHand, DeployableEvent } from '../model/event.ts';
import { pauseReason, type Pause } from '../model/pause.ts';
import type { Run } from '../model/run.ts';
import type { NewRun } from '../store/runs.ts';

/** What a run is made from. */
export interface RunSeed {
  delivery: string;
  event: DeployableEvent | ByHand;
  /** The commit to deploy. */
  sha: string;
  cause: Run['cause'];
}

/** The run that a matched spec gets, still without its place in the order. Pure. */
export function planRun(seed: RunSeed, loaded: LoadedSpec, id: string, now: number): NewRun {
  const { spec } = loaded;
  const ref = refOf(seed.event);
  return {
    id,
    spec: spec.name,
    specDigest: loaded.digest,
    repository: seed.event.repository,
    environment: spec.environment,
    lane: spec.concurrency.lane,
    ref,
    branch: ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : undefined,
    tag: ref.startsWith('refs/tags/') ? ref.slice('refs/tags/'.length) : undefined,
    sha: seed.sha,
    event: seed.event.kind,
    delivery: seed.delivery,
    cause: seed.cause,
    state: 'queued',
    reason: `Waiting in lane ${spec.concurrency.lane}`,
    fault: undefined,
    cancelRequested: undefined,
    attempts: 0,
    outputs: {},
    createdAt: now,
    startedAt: undefined,
    finishedAt: undefined,
  };
}

/** A run that is not to start, and why. Pure. */
export function supersededAsMade(run: NewRun, reason: string): NewRun {
  return { ...run, state: 'superseded', reason, finishedAt: run.createdAt };
}

/** That another run, newer, is there already. Pure. */
export function supersededBy(
  newer: Pick<Run, 'id' | 'sha' | 'state'>,
  why = `which is newer and ${newer.state === 'running' ? 'runs' : 'waits'}`,
): string {
  return `Superseded by ${newer.sha.slice(0, 7)} (run ${newer.id}), ${why}`;
}

/** A run that must not start before its spec or lane is resumed. Pure. */
export function blockedAsMade(run: NewRun, pause: Pause): NewRun {
  return { ...run, state: 'blocked', reason: pauseReason(pause) };
}

/**
 * Runs of a spec that wait and are newer than `after`, a run's sequence: what a retry of that run must not keep from
 * being deployed. None with `queue: all`, where every run has its turn. Pure.
 */
export function waitingAfter(
  after: Pick<Run, 'spec' | 'sequence'>,
  active: readonly Run[],
  concurrency: LoadedSpec['spec']['concurrency'],
): Run[] {
  if (concurrency.queue === 'all') return [];
  return active.filter(
    (run) => run.spec === after.spec && run.sequence > after.sequence && run.state !== 'running',
  );
}

/** What a new run means for the others in its lane. */
export interface LaneEffects {
  /** Runs that need not start any more. */
  supersede: Run[];
  /** Runs that are to stop. */
  cancel: Run[];
}

/**
 * Newest wins (G4): a new run supersedes the queued ones before it, unless its spec asks for every run to have its turn;
 * with `cancel-running` it also stops the one that runs, unless it is only a retry of what was there before, or must not
 * start itself. Pure.
 */
export function laneEffects(
  run: Pick<Run, 'id' | 'spec' | 'sequence' | 'cause' | 'state'>,
  active: readonly Run[],
  concurrency: LoadedSpec['spec']['concurrency'],
): LaneEffects {
  // Specs may share a lane to take turns; only runs of the same spec replace each other.
  const older = active.filter(
    (other) => other.spec === run.spec && other.sequence < run.sequence && other.id !== run.id,
  );
  return {
    supersede:
      concurrency.queue === 'newest' ? older.filter((other) => other.state !== 'running') : [],
    cancel:
      concurrency.cancelRunning && run.cause !== 'retry' && run.state !== 'blocked'
        ? older.filter((other) => other.state === 'running')
        : [],
  };
}

function refOf(event: RunSeed['event']): string {
  switch (event.kind) {
    case 'push':
    case 'deploy':
      return event.ref;
    case 'release':
      return `refs/tags/${event.tag}`;
    case 'workflow_run':
      if (event.branch === undefined) return event.sha;
      return event.headIs === 'tag' ? `refs/tags/${event.branch}` : `refs/heads/${event.branch}`;
  }
}
