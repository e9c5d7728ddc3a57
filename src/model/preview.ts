import type { DeploymentSpec, LoadedSpec } from './deployment-spec.ts';
import type { Run } from './run.ts';
import { ownEvents } from './own-event.ts';

/** `on.pull_request`: each pull request has an environment of its own for a time. */
export interface PullTrigger {
  /** Filter patterns of the branch that it is to be merged into. Empty: every branch. */
  branches: string[];
  /** How long a preview lives without another commit, in milliseconds. */
  ttlMs: number;
  /** How many of the spec there may be at once. */
  most: number;
  /** Whether those of forks have one, too. */
  forks: boolean;
}

/** What is stored of a preview that is to be taken down: the payload of its delivery, and what expressions call `event`. */
export interface TeardownPayload {
  spec: string;
  /** The pull request's. */
  number: number;
  /** Why it is taken down. */
  reason: string;
  repository: string;
  /** What was deployed. */
  sha: string;
  fork: boolean;
  /** Of the spec that has deployed it, when the present one does not take it down. */
  digest?: string;
}

const events = ownEvents('teardown');
/** What a delivery that takes a preview down has as its event. */
export const teardownEventName = events.nameOf;
/** The spec whose preview a delivery takes down, by its event's name; undefined for others. */
export const teardownOfEvent = events.aboutOf;

/** Where GitHub has the newest commit of a pull request. */
export const pullRef = (number: number) => `refs/pull/${number}/head`;

/** The pull request that a run has deployed or taken down; undefined for other runs. */
export function pullOf({ event, ref }: Pick<Run, 'event' | 'ref'>): number | undefined {
  if (event !== 'pull_request' && event !== 'teardown') return undefined;
  const number = Number(/^refs\/pull\/(\d+)\/head$/.exec(ref)?.[1]);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Where the preview of a pull request is: `preview-7`, in a lane of its own. */
export function previewPlace(
  { environment, concurrency }: DeploymentSpec,
  number: number,
): Pick<Run, 'environment' | 'lane'> {
  return { environment: `${environment}-${number}`, lane: `${concurrency.lane}-${number}` };
}

const TEARDOWN_DIGEST = 'teardown-';

/**
 * The spec as it takes a preview down: its `teardown` steps, which wait for nothing. What is still to be deployed there gives way to them,
 * also with `queue: all`: it may wait at a gate for ever.
 */
export function asTeardown(loaded: LoadedSpec): LoadedSpec {
  return { ...loaded, digest: TEARDOWN_DIGEST + loaded.digest, spec: teardownSpec(loaded.spec) };
}

/** What a snapshot with this digest means: it has the text of the whole spec. */
export function ofDigest(digest: string, spec: DeploymentSpec): DeploymentSpec {
  return digest.startsWith(TEARDOWN_DIGEST) ? teardownSpec(spec) : spec;
}

function teardownSpec(spec: DeploymentSpec): DeploymentSpec {
  const concurrency = { ...spec.concurrency, queue: 'newest' as const };
  return { ...spec, steps: spec.teardown ?? [], gates: [], concurrency };
}
