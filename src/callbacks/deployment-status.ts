import { cutText } from '../lib/cut-text.ts';
import { TerminalError } from '../lib/errors.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { deploymentTarget } from './deployment.ts';
import { descriptionOf, isOwnFault, linkTo } from './describe.ts';
import { description, given, link, madeId, MAX_DESCRIPTION } from './fields.ts';
import { githubKind } from './kind.ts';

/** https://docs.github.com/en/rest/deployments/statuses */
export interface DeploymentStatusCallback {
  kind: 'deployment-status';
  repository: string;
  runId: string;
  environment: string;
  state: 'queued' | 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';
  description: string;
  logUrl: string | undefined;
  /** Where what was deployed can be seen, as a step has said it. */
  environmentUrl?: string | undefined;
}

type Rendered = DeploymentStatusCallback & { deploymentId: number };

/** What a run in this state looks like on its Deployment; a failure of Mainsheet's own is `error` instead. */
const STATES: Record<RunState, DeploymentStatusCallback['state'] | undefined> = {
  queued: undefined,
  blocked: 'queued',
  running: 'in_progress',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'inactive',
  superseded: 'inactive',
};

/**
 * A state of the run's Deployment: `queued` while the run is blocked, `in_progress`, then `success`, `failure`, `error`, or
 * `inactive` for a run that was cancelled or superseded. None where the Deployment already shows what is true, or where there is
 * none. With `success` goes what a step has put out as `environment_url`.
 */
export const deploymentStatus = githubKind<DeploymentStatusCallback, Rendered>({
  kind: 'deployment-status',
  title: 'Deployment status',
  chosenAs: 'deployment',
  at: 'github',

  due({ run, previous, overridden, publicUrl }) {
    const state = STATES[run.state];
    const alreadyTrue = previous === undefined ? hasEnded(run.state) : STATES[previous] === state;
    if (state === undefined || alreadyTrue) return [];
    return [
      {
        kind: 'deployment-status',
        repository: run.repository,
        runId: run.id,
        environment: run.environment,
        state: isOwnFault(run) ? 'error' : state,
        description: cutText(
          [descriptionOf(run), ...(overridden === undefined ? [] : [overridden])].join('. '),
          MAX_DESCRIPTION,
        ),
        logUrl: linkTo(run.id, publicUrl),
        ...(state === 'success' ? { environmentUrl: addressOf(run) } : {}),
      },
    ];
  },

  target: ({ runId }) => deploymentTarget(runId),
  tells: ({ state }) => state,
  importance: ({ state }) =>
    state === 'queued' || state === 'in_progress' ? IMPORTANCE.intermediate : IMPORTANCE.deployment,
  isState: true,

  async render(callback, entry, { store }) {
    const deploymentId = await store.outbox.number(deploymentTarget(entry.run));
    if (deploymentId !== undefined) return { ...callback, deploymentId };
    throw new TerminalError('deployment-unknown', 'its Deployment was never created on GitHub');
  },

  bare: (message) => ({
    ...message,
    description: '',
    logUrl: undefined,
    environmentUrl: undefined,
  }),

  // What must be allowed is said by its Deployment.
  doing: 'set the deployment status of',
  /** https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status */
  async act(octokit, place, message) {
    const answer = await octokit.request(
      'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
      {
        ...place,
        deployment_id: message.deploymentId,
        state: message.state,
        // It would end the Deployments of other specs in the environment, and spare one's own in production.
        auto_inactive: false,
        ...given({
          description: description(message.description),
          log_url: link(message.logUrl),
          environment_url: link(message.environmentUrl),
        }),
      },
    );
    madeId(answer.status, answer.data);
  },
});

/**
 * What ends the Deployment that a run has just taken the place of, or taken down. GitHub could do it by itself (`auto_inactive`), but ends the
 * Deployments of other specs in the environment too, and none of a production environment.
 */
export function replacementOf(
  previous: Run,
  run: Run,
  publicUrl: string | undefined,
): DeploymentStatusCallback {
  const isGone = run.event === 'teardown';
  return {
    kind: 'deployment-status',
    repository: previous.repository,
    runId: previous.id,
    environment: previous.environment,
    state: 'inactive',
    description: isGone ? 'Taken down' : `Replaced by ${run.sha.slice(0, 7)}`,
    logUrl: linkTo(previous.id, publicUrl),
  };
}

/** Where a step says that what was deployed can be seen; an address in which a secret was masked is none. */
export function addressOf({ outputs, maskedOutputs = [] }: Run): string | undefined {
  return maskedOutputs.includes('environment_url') ? undefined : outputs['environment_url'];
}
