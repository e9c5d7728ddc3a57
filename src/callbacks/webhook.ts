import { Webhook } from 'standardwebhooks';
import { parseRetryAfter } from '../github/failure.ts';
import { isoTime } from '../lib/clock.ts';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { IMPORTANCE } from '../model/importance.ts';
import type { Run } from '../model/run.ts';
import { renderUrl } from '../spec/render-url.ts';
import type { CallbackKind, Way } from './contract.ts';
import {
  dueNotifications,
  entryOf,
  notifyTarget,
  rendering,
  type NotifyCallback,
} from './notify.ts';

interface Rendered {
  kind: 'webhook';
  id: string;
  url: string;
  key: string | undefined;
  body: Json;
}

/** A signed HTTP request (Standard Webhooks). */
export const webhook: CallbackKind<NotifyCallback<'webhook'>, Rendered> = {
  kind: 'webhook',
  due: (change) => dueNotifications('webhook', change),
  target: notifyTarget,
  tells: ({ run }) => run.state,
  importance: () => IMPORTANCE.notification,
  payer: () => undefined,
  waitsForOtherRuns: true,

  async render({ run, notify: position }, entry, sources) {
    const from = await sources.notify(run, position);
    const notify = entryOf(from.notify, 'webhook');
    const url = rendering(from, () => renderUrl(notify.url, from.context));
    return {
      kind: 'webhook',
      // The same id for every attempt, so that the receiver can tell a repetition: https://www.standardwebhooks.com
      id: `msg_${run.id}_${entry.id}`,
      url,
      key: notify.secret === undefined ? undefined : sources.secret(notify.secret),
      body: bodyOf(run, sources.publicUrl, entry.createdAt),
    };
  },

  async send(message, way) {
    await post(message, way);
    return {};
  },

  permissions: [],
};

/**
 * Posts a message as JSON with the headers of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, the same for every
 * try, `webhook-timestamp`, the time of this try (receivers refuse what is older than five minutes), and, with a key,
 * `webhook-signature`. A key `whsec_…` is base64, as the standard writes it; any other key counts as its own bytes.
 *
 * The URL may itself be a secret, so that errors name its host alone. Redirects are not followed: they would carry the message
 * to a receiver that the spec does not name. The answer's body is not read.
 *
 * As the standard has it, every answer but 2xx and 410 is asked about again, since what is wrong with a receiver is mended there.
 * Throws TerminalError (`webhook-url`, `webhook-key`, `webhook-gone` for 410) or RetryableError (`webhook-timeout`,
 * `webhook-aborted`, `webhook-unreachable`, `webhook-unavailable` for 408, 429 and 5xx, `webhook-redirected`, `webhook-refused`).
 */
async function post(message: Rendered, way: Way): Promise<void> {
  const url = readUrl(message.url);
  const body = JSON.stringify(message.body);
  const headers = signedHeaders(message, body, way.clock.now());
  const timeout = AbortSignal.timeout(way.timeoutMs);
  const signal = AbortSignal.any([timeout, way.signal]);
  let response;
  try {
    response = await way.fetch(url.href, {
      method: 'POST',
      headers,
      body,
      signal,
      redirect: 'manual',
    });
  } catch (cause) {
    const failure = failureBefore(url.host, timeout, signal, way.timeoutMs);
    throw new RetryableError(failure.code, failure.message, { cause });
  }
  // The status says all; an endless or hostile body is none of our concern.
  await response.body?.cancel().catch(() => {});
  if (!response.ok) throw refusal(url.host, response, way.clock.now());
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TerminalError('webhook-url', 'the webhook has no http or https URL', {
      hint: 'check the secret or template that its `url` is made of',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new TerminalError(
      'webhook-url',
      `the webhook URL of ${url.host} holds a user or password`,
      {
        hint: 'sign the webhook with `secret` instead',
      },
    );
  }
  return url;
}

function signedHeaders({ id, key }: Rendered, body: string, now: number): Record<string, string> {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'mainsheet',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
  };
  return key === undefined
    ? headers
    : { ...headers, 'webhook-signature': signerOf(key).sign(id, new Date(now), body) };
}

function signerOf(key: string): Webhook {
  try {
    return key.startsWith('whsec_')
      ? new Webhook(key)
      : new Webhook(Buffer.from(key), { format: 'raw' });
  } catch (cause) {
    throw new TerminalError('webhook-key', 'the key that is to sign the webhook is not one', {
      cause,
      hint: 'after `whsec_` there is to be base64; any other key must not be empty',
    });
  }
}

function failureBefore(
  host: string,
  timeout: AbortSignal,
  signal: AbortSignal,
  timeoutMs: number,
): { code: string; message: string } {
  if (timeout.aborted) {
    const message = `the webhook at ${host} did not answer within ${timeoutMs} ms`;
    return { code: 'webhook-timeout', message };
  }
  return signal.aborted
    ? { code: 'webhook-aborted', message: `the webhook to ${host} was called off` }
    : { code: 'webhook-unreachable', message: `the webhook at ${host} cannot be reached` };
}

function refusal(host: string, { status, headers }: Response, now: number): Error {
  const message = `the webhook at ${host} answered ${status}`;
  if (status === 410) {
    return new TerminalError('webhook-gone', `${message}: it is there no more`, {
      hint: 'take the webhook out of the spec',
    });
  }
  const retryAfterMs = parseRetryAfter(headers.get('retry-after') ?? undefined, now);
  if (status < 400) {
    return new RetryableError('webhook-redirected', `${message}, and redirects are not followed`, {
      retryAfterMs,
      hint: 'name the final URL in the spec',
    });
  }
  const inTrouble = status === 408 || status === 429 || status >= 500;
  const code = inTrouble ? 'webhook-unavailable' : 'webhook-refused';
  return new RetryableError(code, message, { retryAfterMs });
}

/** What a receiver is told. */
function bodyOf(run: Run, publicUrl: string | undefined, at: number): Json {
  return {
    type: `run.${run.state}`,
    timestamp: isoTime(at),
    data: {
      run: run.id,
      spec: run.spec,
      environment: run.environment,
      repository: run.repository,
      ref: run.ref,
      sha: run.sha,
      state: run.state,
      reason: run.reason,
      url: publicUrl === undefined ? null : `${publicUrl}/runs/${run.id}`,
    },
  };
}
