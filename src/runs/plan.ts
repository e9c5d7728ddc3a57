import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { AtHead, ByHand, DeployableEvent } from '../model/event.ts';
import { LONGEST_REASON } from '../model/run-state.ts';
import { previewPlace, pullRef } from '../model/preview.ts';
import { PROTECTION, protectionLane } from '../model/protection.ts';
import { newRun, type NewRun, type Run } from '../model/run.ts';

/** What a run is made from. */
export interface RunSeed {
  delivery: string;
  event: DeployableEvent | ByHand | AtHead;
  /** The commit to deploy. */
  sha: string;
  cause: Run['cause'];
}

/** The run that a matched spec gets, still without its place in the order. Pure. */
export function planRun(seed: RunSeed, loaded: LoadedSpec, id: string, now: number): NewRun {
  const { spec } = loaded;
  const ref = refOf(seed.event);
  const { environment, lane } = placeOf(seed.event, spec);
  return newRun({
    id,
    spec: spec.name,
    specDigest: loaded.digest,
    repository: seed.event.repository,
    environment,
    lane,
    ref,
    branch: ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : undefined,
    tag: ref.startsWith('refs/tags/') ? ref.slice('refs/tags/'.length) : undefined,
    sha: seed.sha,
    event: seed.event.kind,
    delivery: seed.delivery,
    batch: undefined,
    cause: seed.cause,
    reason: `Waiting in lane ${lane}`,
    createdAt: now,
  });
}

function placeOf(
  event: RunSeed['event'],
  spec: LoadedSpec['spec'],
): Pick<Run, 'environment' | 'lane'> {
  switch (event.kind) {
    case PROTECTION:
      return { ...event, lane: protectionLane(event.workflowRun, event.environment) };
    case 'pull_request':
    case 'teardown':
      return previewPlace(spec, event.number);
    default:
      return { ...spec, lane: spec.concurrency.lane };
  }
}

/** A run that is not to start, and why. Pure. */
export function supersededAsMade(run: NewRun, reason: string): NewRun {
  return { ...run, state: 'superseded', reason, finishedAt: run.createdAt };
}

/** A run that must not start yet, and why. Pure. */
export function blockedAsMade(run: NewRun, reason: string): NewRun {
  return { ...run, state: 'blocked', reason: reason.slice(0, LONGEST_REASON) };
}

function refOf(event: RunSeed['event']): string {
  switch (event.kind) {
    case 'push':
    case 'deploy':
    case 'hook':
    case 'schedule':
    case 'deployment':
    case 'deployment_protection_rule':
      return event.ref;
    case 'pull_request':
    case 'teardown':
      return pullRef(event.number);
    case 'release':
      return `refs/tags/${event.tag}`;
    case 'workflow_run':
      if (event.branch === undefined) return event.sha;
      return event.headIs === 'tag' ? `refs/tags/${event.branch}` : `refs/heads/${event.branch}`;
  }
}
