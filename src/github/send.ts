import type { Octokit } from '@octokit/rest';
import type { Clock } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import type { DeploymentStatusCallback, Message, StatusCallback } from '../model/callback.ts';
import type { GitHub } from './client.ts';
import { createDeployment, type Place } from './create-deployment.ts';
import { asGitHubFailure, isAboutCredentials } from './failure.ts';
import { cutText, DISPATCH_LIMITS, MAX_DESCRIPTION } from './limits.ts';
import { sendWebhook } from './send-webhook.ts';

interface SendOptions {
  /** Aborted when the process stops. */
  signal: AbortSignal;
  /** Whether this message was tried before: the try before may have arrived although it seemed to fail. */
  retried: boolean;
}

/** Sends one message of the outbox, once. */
export interface Sender {
  /**
   * Resolves when the other side has taken it, for a deployment with its number on GitHub. Throws RetryableError (with
   * `retryAfterMs` where the other side named a time) or TerminalError; see `asGitHubFailure` and `sendWebhook` for the codes.
   *
   * A commit or repository that GitHub does not know is an error worth one more try, since right after a push not all of its
   * servers know the commit: retryable on the first try of a status or deployment, terminal after it.
   */
  send(message: Message, options: SendOptions): Promise<{ deploymentId?: number }>;
}

type DispatchMessage = Extract<Message, { kind: 'dispatch' }>;

/** All requests of one message together; well below the lease under which the outbox hands it out. */
const LONGEST_SEND_MS = 60_000;

export function createSender(deps: {
  github: GitHub;
  fetch?: typeof fetch;
  clock: Clock;
  /** Default ten seconds. */
  webhookTimeoutMs?: number;
}): Sender {
  const { github, clock } = deps;

  async function toGitHub<Result>(
    repository: string,
    attempt: { doing: string; maybeTooEarly: boolean; signal: AbortSignal },
    act: (octokit: Octokit, place: Place) => Promise<Result>,
  ): Promise<Result> {
    try {
      const octokit = await github.octokit(repository);
      const [owner = '', repo = ''] = repository.split('/');
      return await act(octokit, { owner, repo, request: { signal: attempt.signal } });
    } catch (error) {
      if (isAboutCredentials(error)) github.forget(repository);
      throw asGitHubFailure(error, { ...attempt, now: clock.now() });
    }
  }

  return {
    async send(message, options) {
      const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_SEND_MS)]);
      if (message.kind === 'webhook') {
        await sendWebhook(message, {
          fetch: deps.fetch ?? fetch,
          clock,
          signal,
          timeoutMs: deps.webhookTimeoutMs ?? 10_000,
        });
        return {};
      }
      const { repository } = message;
      const maybeTooEarly = !options.retried;
      if (message.kind === 'deployment') {
        const attempt = { doing: `create the deployment of ${repository}`, maybeTooEarly, signal };
        const deploymentId = await toGitHub(repository, attempt, (octokit, place) =>
          createDeployment(octokit, place, message, options.retried),
        );
        return { deploymentId };
      }
      if (message.kind === 'status') {
        const attempt = { doing: `set the status of ${repository}`, maybeTooEarly, signal };
        await toGitHub(repository, attempt, (octokit, place) => setStatus(octokit, place, message));
        return {};
      }
      // Nothing that was made before these can be missing because it is too new.
      const late = { maybeTooEarly: false, signal };
      await (message.kind === 'dispatch'
        ? toGitHub(repository, { doing: `dispatch to ${repository}`, ...late }, (octokit, place) =>
            dispatch(octokit, place, message),
          )
        : toGitHub(
            repository,
            { doing: `set the deployment status of ${repository}`, ...late },
            (octokit, place) => setDeploymentStatus(octokit, place, message),
          ));
      return {};
    },
  };
}

/** https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
async function setStatus(octokit: Octokit, place: Place, status: StatusCallback): Promise<void> {
  await octokit.request('POST /repos/{owner}/{repo}/statuses/{sha}', {
    ...place,
    sha: status.sha,
    state: status.state,
    context: status.context,
    description: cutText(status.description, MAX_DESCRIPTION),
    ...(status.targetUrl === undefined ? {} : { target_url: status.targetUrl }),
  });
}

/** https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status */
async function setDeploymentStatus(
  octokit: Octokit,
  place: Place,
  status: DeploymentStatusCallback & { deploymentId: number },
): Promise<void> {
  await octokit.request('POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses', {
    ...place,
    deployment_id: status.deploymentId,
    state: status.state,
    environment: status.environment,
    description: cutText(status.description, MAX_DESCRIPTION),
    auto_inactive: true,
    ...(status.logUrl === undefined ? {} : { log_url: status.logUrl }),
  });
}

/** https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event */
async function dispatch(octokit: Octokit, place: Place, message: DispatchMessage): Promise<void> {
  const problem = dispatchProblem(message);
  if (problem !== undefined) {
    throw new TerminalError(
      'dispatch-too-large',
      `the dispatch to ${message.repository} ${problem}`,
      {
        hint: 'shorten what its notify entry puts into it',
      },
    );
  }
  await octokit.request('POST /repos/{owner}/{repo}/dispatches', {
    ...place,
    event_type: message.eventType,
    client_payload: message.payload,
  });
}

/** The loader checks what is written; only after the templates are filled in is it known what they came to. */
function dispatchProblem({ eventType, payload }: DispatchMessage): string | undefined {
  const keys = Object.keys(payload).length;
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  if (eventType.length < 1 || eventType.length > DISPATCH_LIMITS.eventType) {
    return `has an event type of ${eventType.length} characters; GitHub takes 1 to ${DISPATCH_LIMITS.eventType}`;
  }
  if (keys > DISPATCH_LIMITS.keys) {
    return `has ${keys} keys; GitHub takes ${DISPATCH_LIMITS.keys}`;
  }
  return bytes > DISPATCH_LIMITS.bytes
    ? `has ${bytes} bytes of payload; GitHub takes ${DISPATCH_LIMITS.bytes}`
    : undefined;
}
