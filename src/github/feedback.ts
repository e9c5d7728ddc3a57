import { formatDuration } from '../lib/duration.ts';
import type {
  Callback,
  DeploymentCallback,
  DeploymentStatusCallback,
  StatusCallback,
} from '../model/callback.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { cutText, MAX_DESCRIPTION } from './limits.ts';

/** What a run in this state looks like as a commit status; a failure of Mainsheet's own is `error` instead. */
const COMMIT_STATES: Record<RunState, StatusCallback['state']> = {
  queued: 'pending',
  blocked: 'pending',
  running: 'pending',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'error',
  superseded: 'error',
};

/** The same for its Deployment; a new one is pending at GitHub by itself. */
const DEPLOYMENT_STATES: Record<RunState, DeploymentStatusCallback['state'] | undefined> = {
  queued: undefined,
  blocked: 'queued',
  running: 'in_progress',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'inactive',
  superseded: 'inactive',
};

/** What a spec says of how the world is told. */
export type ToldSpec = Pick<
  DeploymentSpec,
  'notify' | 'productionEnvironment' | 'transientEnvironment'
>;

/** A run's change of state. `run` is the run after it, `previous` its state before; undefined for a new run. */
export interface RunChange {
  run: Run;
  spec: ToldSpec;
  previous: RunState | undefined;
  /** Whether the spec has deployed the same commit before. */
  wasDeployed: boolean;
  /** Base of the links on GitHub; without it there are none. */
  publicUrl: string | undefined;
}

/**
 * What the world is to hear of a run's change of state, in the order in which it is to hear it. Nothing when the state is the
 * same as before.
 *
 * - The commit status `mainsheet/<spec>` follows every state. GitHub has four: `pending` while the run may still deploy,
 *   `success` only when it did, `failure` when a step failed. All other ends are `error`: Mainsheet's own fault, but also
 *   `cancelled` and `superseded`, since such a commit was not deployed (so not `success`), did nothing wrong (so not `failure`)
 *   and never will be by this run (so not `pending`, which would look stuck for ever). The description says which it was.
 *   Where such a run did nothing to a commit that was deployed before, that is what stays true: `success`.
 *   https://docs.github.com/en/rest/commits/statuses
 * - The Deployment is created with the run and says `in_progress`, then `success`, `failure`, `error`, or `inactive` for a run
 *   that was cancelled or superseded. That of a blocked run is `queued`. A run that ended as it was made has no Deployment.
 *   With `success` goes what a step has put out as `environment_url`.
 *   https://docs.github.com/en/rest/deployments/statuses
 * - Each `notify` entry whose `on` has the new state.
 */
export function callbacksFor(change: RunChange): Callback[] {
  const { run, spec, previous } = change;
  if (run.state === previous) return [];
  return [
    statusOf(change),
    ...(previous === undefined && !hasEnded(run.state) ? [deploymentOf(run, spec)] : []),
    ...deploymentStatusOf(change),
    ...spec.notify.flatMap(({ kind, on }, notify): Callback[] =>
      on.includes(run.state) ? [{ kind, notify, run }] : [],
    ),
  ];
}

/**
 * What ends the Deployment that a run has just taken the place of. GitHub could do it by itself (`auto_inactive`), but ends the
 * Deployments of other specs in the environment too, and none of a production environment.
 */
export function replacementOf(
  previous: Run,
  run: Run,
  publicUrl: string | undefined,
): DeploymentStatusCallback {
  return {
    kind: 'deployment-status',
    repository: previous.repository,
    runId: previous.id,
    environment: previous.environment,
    state: 'inactive',
    description: `Replaced by ${run.sha.slice(0, 7)}`,
    logUrl: linkTo(previous.id, publicUrl),
  };
}

/**
 * The outbox's ordering key: callbacks with the same one are sent one after the other, in the order in which they were made.
 * A commit's status of one context; a run's Deployment with its statuses; one `notify` entry of a spec.
 */
export function targetOf(callback: Callback): string {
  if (callback.kind === 'status') {
    return `status:${callback.repository.toLowerCase()}:${callback.sha}:${callback.context}`;
  }
  return callback.kind === 'deployment' || callback.kind === 'deployment-status'
    ? `deployment:${callback.runId}`
    : `notify:${callback.run.spec}:${callback.notify}`;
}

/**
 * Whether `later`, waiting for the same target, says all that `callback` would have: a status for a status, a deployment status
 * for a deployment status. Never true for what does something (creating a Deployment) or what others count (notifications).
 */
export function isObsolete(callback: Callback, later: Callback): boolean {
  return (
    (callback.kind === 'status' || callback.kind === 'deployment-status') &&
    callback.kind === later.kind &&
    targetOf(callback) === targetOf(later)
  );
}

function statusOf({ run, wasDeployed, publicUrl }: RunChange): StatusCallback {
  const didNothing =
    run.state === 'superseded' || (run.state === 'cancelled' && run.startedAt === undefined);
  const isDeployed = didNothing && wasDeployed;
  return {
    kind: 'status',
    repository: run.repository,
    sha: run.sha,
    context: `mainsheet/${run.spec}`,
    state: isOwnFault(run) ? 'error' : isDeployed ? 'success' : COMMIT_STATES[run.state],
    description: isDeployed
      ? cutText(`Already deployed. ${descriptionOf(run)}`, MAX_DESCRIPTION)
      : descriptionOf(run),
    targetUrl: linkTo(run.id, publicUrl),
  };
}

function deploymentOf(run: Run, spec: ToldSpec): DeploymentCallback {
  return {
    kind: 'deployment',
    repository: run.repository,
    runId: run.id,
    spec: run.spec,
    sha: run.sha,
    environment: run.environment,
    production: spec.productionEnvironment,
    transient: spec.transientEnvironment,
    description: cutText(`Mainsheet: ${run.spec}`, MAX_DESCRIPTION),
  };
}

/** None where the Deployment already shows what is true, or where there is no Deployment. */
function deploymentStatusOf({ run, previous, publicUrl }: RunChange): DeploymentStatusCallback[] {
  const state = DEPLOYMENT_STATES[run.state];
  const alreadyTrue =
    previous === undefined ? hasEnded(run.state) : DEPLOYMENT_STATES[previous] === state;
  if (state === undefined || alreadyTrue) return [];
  return [
    {
      kind: 'deployment-status',
      repository: run.repository,
      runId: run.id,
      environment: run.environment,
      state: isOwnFault(run) ? 'error' : state,
      description: descriptionOf(run),
      logUrl: linkTo(run.id, publicUrl),
      ...(state === 'success' ? { environmentUrl: addressOf(run) } : {}),
    },
  ];
}

/** Where a step says that what was deployed can be seen; an address in which a secret was masked is none. */
function addressOf({ outputs, maskedOutputs = [] }: Run): string | undefined {
  return maskedOutputs.includes('environment_url') ? undefined : outputs['environment_url'];
}

function isOwnFault(run: Run): boolean {
  return run.state === 'failed' && run.fault === 'mainsheet';
}

/** One line of at most 140 characters: what happened, and why. */
function descriptionOf(run: Run): string {
  const label = labelOf(run);
  const reason = run.reason.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  const explained = run.state !== 'running' && run.state !== 'succeeded' && reason !== '';
  if (!explained) return cutText(label, MAX_DESCRIPTION);
  // A reason such as "superseded by …" already says what the label would.
  const says = reason.toLowerCase().startsWith(label.toLowerCase());
  const line = says ? label + reason.slice(label.length) : `${label}: ${reason}`;
  return cutText(line, MAX_DESCRIPTION);
}

function labelOf(run: Run): string {
  const labels: Record<RunState, string> = {
    queued: 'Queued',
    blocked: run.reason.startsWith('Paused ') ? 'Paused' : 'Blocked',
    running: `Deploying to ${run.environment}`,
    succeeded: `Deployed to ${run.environment}${duration(run)}`,
    failed: isOwnFault(run) ? 'Mainsheet failed' : 'Failed',
    cancelled: 'Cancelled',
    superseded: 'Superseded',
  };
  return labels[run.state];
}

function duration({ startedAt, finishedAt }: Run): string {
  return startedAt === undefined || finishedAt === undefined
    ? ''
    : ` in ${formatDuration(finishedAt - startedAt)}`;
}

function linkTo(run: string, publicUrl: string | undefined): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl.replace(/\/+$/, '')}/runs/${run}`;
}
