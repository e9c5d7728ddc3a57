import type { Octokit } from '@octokit/rest';
import type { GitHub } from '../github/client.ts';
import { asGitHubFailure, isAboutCredentials } from '../github/failure.ts';
import type { Clock } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Answered } from '../model/callback.ts';
import type { Message, Place, Sent } from './contract.ts';
import { createEars, type Ears } from './hear.ts';
import { kindOf } from './index.ts';
import { sendMail, type MailServer } from './send-mail.ts';

interface SendOptions {
  /** Aborted when the process stops. */
  signal: AbortSignal;
  /** Whether this message was tried before. */
  retried: boolean;
  /** How long ago the message was put into the outbox, in milliseconds. */
  ageMs: number;
}

/** Sends one message of the outbox, once. */
export interface Sender {
  /**
   * Resolves when the other side has taken it. Throws RetryableError (with `retryAfterMs` where the other side named a time) or
   * TerminalError; see `asGitHubFailure` and the kinds for the codes.
   *
   * A commit, Deployment or repository that GitHub does not know may only be too new: not all of its servers know at once what was
   * pushed or made. That is retryable on the first try and for ten minutes, terminal after them.
   */
  send(message: Message, options: SendOptions): Promise<Sent>;
}

/** For how long what GitHub does not know may be too new for it. */
const TOO_EARLY_MS = 10 * 60_000;

/** All requests of one message together; well below the lease under which the outbox hands it out. */
const LONGEST_SEND_MS = 60_000;

export function createSender(deps: {
  github: GitHub;
  fetch?: typeof fetch;
  /** See `Way`. Without it no such URL is asked. */
  fetchAsked?: typeof fetch;
  smtp?: MailServer | undefined;
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
    async send(message, { retried, ageMs, ...options }) {
      const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_SEND_MS)]);
      const ears = createEars();
      const sent = await kindOf(message).send(message, {
        async github(repository, doing, act, longThere = false) {
          const maybeTooEarly = !longThere && (!retried || ageMs < TOO_EARLY_MS);
          const attempt = { doing: `${doing} ${repository}`, maybeTooEarly, signal };
          return await toGitHub(repository, attempt, (octokit, place) =>
            act(ears.octokit(octokit), place),
          );
        },
        fetch: ears.fetch(deps.fetch ?? fetch),
        fetchAsked: ears.fetch(deps.fetchAsked ?? refuse),
        async mail(mail) {
          if (deps.smtp !== undefined) await sendMail(deps.smtp, mail, signal);
        },
        clock,
        signal,
        timeoutMs: deps.webhookTimeoutMs ?? 20_000,
        retried,
      });
      return { ...sent, answered: answeredOf(ears, sent) };
    },
  };
}

/** What was made by a try whose answer was lost has at least its number. */
function answeredOf(ears: Ears, { id }: Sent): Answered | undefined {
  const answered = ears.answered();
  return id === undefined ? answered : { id: String(id), ...answered };
}

async function refuse(): Promise<never> {
  throw new TerminalError('closed-address', 'URLs that requests name are not asked');
}
