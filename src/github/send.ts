import type { Octokit } from '@octokit/rest';
import type { Clock } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import type { DeploymentStatusCallback, Message, StatusCallback } from '../model/callback.ts';
import type { GitHub } from './client.ts';
import { createDeployment, madeId, type Place } from './create-deployment.ts';
import { asGitHubFailure, isAboutCredentials, unreadableAnswer } from './failure.ts';
import { context, description, link, wellFormed } from './fields.ts';
import { DISPATCH_LIMITS } from './limits.ts';
import { sendWebhook } from './send-webhook.ts';

interface SendOptions {
  /** Aborted when the process stops. */
  signal: AbortSignal;
  /** Whether this message was tried before: the try before may have arrived although it seemed to fail. */
  retried: boolean;
  /** How long ago the message was put into the outbox, in milliseconds. */
  ageMs: number;
}

/** Sends one message of the outbox, once. */
export interface Sender {
  /**
   * Resolves when the other side has taken it, for a deployment with its number on GitHub. Throws RetryableError (with
   * `retryAfterMs` where the other side named a time) or TerminalError; see `asGitHubFailure` and `sendWebhook` for the codes.
   *
   * A commit, Deployment or repository that GitHub does not know may only be too new: not all of its servers know at once what was
   * pushed or made. That is retryable on the first try and for ten minutes, terminal after them. Not so for a dispatch, which
   * goes to a repository that has long been there.
   */
  send(message: Message, options: SendOptions): Promise<{ deploymentId?: number }>;
}

/** For how long what GitHub does not know may be too new for it. */
const TOO_EARLY_MS = 10 * 60_000;

type DispatchMessage = Extract<Message, { kind: 'dispatch' }>;

/** All requests of one message together; well below the lease under which the outbox hands it out. */
const LONGEST_SEND_MS = 60_000;

export function createSender(deps: {
  github: GitHub;
  fetch?: typeof fetch;
  clock: Clock;
  /** Default twenty seconds. */
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
          timeoutMs: deps.webhookTimeoutMs ?? 20_000,
        });
        return {};
      }
      const { repository } = message;
      const maybeTooEarly =
        message.kind !== 'dispatch' && (!options.retried || options.ageMs < TOO_EARLY_MS);
      const attempt = { doing: `${DOING[message.kind]} ${repository}`, maybeTooEarly, signal };
      return await toGitHub(repository, attempt, async (octokit, place) => {
        switch (message.kind) {
          case 'deployment':
            return {
              deploymentId: await createDeployment(octokit, place, message, options.retried),
            };
          case 'status':
            await setStatus(octokit, place, message);
            return {};
          case 'deployment-status':
            await setDeploymentStatus(octokit, place, message);
            return {};
          case 'dispatch':
            await dispatch(octokit, place, message);
            return {};
        }
      });
    },
  };
}

const DOING = {
  status: 'set the status of',
  deployment: 'create the deployment of',
  'deployment-status': 'set the deployment status of',
  dispatch: 'dispatch to',
} as const;

/** https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
async function setStatus(octokit: Octokit, place: Place, status: StatusCallback): Promise<void> {
  const answer = await octokit.request('POST /repos/{owner}/{repo}/statuses/{sha}', {
    ...place,
    sha: status.sha,
    state: status.state,
    context: context(status.context),
    ...given({ description: description(status.description), target_url: link(status.targetUrl) }),
  });
  madeId(answer.status, answer.data);
}

/** https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status */
async function setDeploymentStatus(
  octokit: Octokit,
  place: Place,
  status: DeploymentStatusCallback & { deploymentId: number },
): Promise<void> {
  const answer = await octokit.request(
    'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
    {
      ...place,
      deployment_id: status.deploymentId,
      state: status.state,
      // It would end the Deployments of other specs in the environment, and spare one's own in production.
      auto_inactive: false,
      ...given({
        description: description(status.description),
        log_url: link(status.logUrl),
        environment_url: link(status.environmentUrl),
      }),
    },
  );
  madeId(answer.status, answer.data);
}

/** The fields that say something. */
function given<Fields extends Record<string, string | undefined>>(
  fields: Fields,
): { [Name in keyof Fields]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => text)) as never;
}

/** https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event */
async function dispatch(octokit: Octokit, place: Place, written: DispatchMessage): Promise<void> {
  const message = {
    ...written,
    eventType: written.eventType.toWellFormed(),
    payload: wellFormed(written.payload),
  };
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
  const answer = await octokit.request('POST /repos/{owner}/{repo}/dispatches', {
    ...place,
    event_type: message.eventType,
    client_payload: message.payload,
  });
  // It has nothing to say, so whatever has is something else.
  const { status }: { status: number } = answer;
  if (status !== 204) throw unreadableAnswer(status);
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
