import { parseRetryAfter } from '../github/failure.ts';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import type { Way } from './contract.ts';

/** Characters of an answer that are read. */
const MOST_READ = 4096;

interface Request {
  url: string;
  /** Beside those that say what is sent and by what. */
  headers?: Record<string, string>;
  /** JSON. */
  body: string;
}

/**
 * Posts JSON to a receiver that is not GitHub.
 *
 * The URL may itself be a secret, so that errors name its host alone. Redirects are not followed: they would carry the message
 * to a receiver that the spec does not name. The answer's body is not read.
 *
 * As Standard Webhooks (https://www.standardwebhooks.com) have it, every answer but 2xx and 410 is asked about again, since what is
 * wrong with a receiver is mended there. Throws TerminalError (`webhook-url`, `webhook-gone` for 410) or RetryableError
 * (`webhook-header`, `webhook-timeout`, `webhook-aborted`, `webhook-unreachable`, `webhook-unavailable` for 408, 429 and 5xx, `webhook-redirected`,
 * `webhook-refused`), with `retryAfterMs` where the answer has `Retry-After`.
 */
export async function postJson(posted: Request, way: Way): Promise<void> {
  const response = await request(posted, way, 'webhook');
  // The status says all; an endless or hostile body is none of our concern.
  await response.body?.cancel().catch(() => {});
  if (!response.ok) throw refusal(new URL(posted.url).host, response, way.clock.now());
}

/** What a receiver answers, whatever that is. `what`: as in "the webhook at host did not answer". Throws as `postJson` for the rest. */
export async function request(posted: Request, way: Way, what: string): Promise<Response> {
  const url = readUrl(posted.url);
  const headers = readHeaders(posted, url.host);
  const timeout = AbortSignal.timeout(way.timeoutMs);
  const signal = AbortSignal.any([timeout, way.signal]);
  try {
    return await way.fetch(url.href, {
      method: 'POST',
      headers,
      body: posted.body,
      signal,
      redirect: 'manual',
    });
  } catch (cause) {
    const closed = closedIn(cause);
    if (closed !== undefined) throw closed;
    const failure = failureBefore({ host: url.host, what }, timeout, signal, way.timeoutMs);
    throw new RetryableError(failure.code, failure.message, { cause });
  }
}

/** Whether the receiver is in trouble, and not the message. */
export function isBusy(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Milliseconds that the answer asks to wait. */
export function askedPause({ headers }: Response, now: number): number | undefined {
  return parseRetryAfter(headers.get('retry-after') ?? undefined, now);
}

/** The beginning of an answer's body, as text; empty when it breaks off. `most`: characters. */
export async function readSome(response: Response, most = MOST_READ): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > most) break;
    }
  } catch {
    return '';
  }
  return text.slice(0, most);
}

/** That the address may not be asked, which no further try changes. */
function closedIn(error: unknown): TerminalError | undefined {
  if (error instanceof TerminalError) return error;
  return error instanceof Error ? closedIn(error.cause) : undefined;
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TerminalError('webhook-url', 'the webhook has no http or https URL', {
      hint: 'check the secret or template that its URL is made of',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new TerminalError(
      'webhook-url',
      `the webhook URL of ${url.host} holds a user or password`,
      {
        hint: 'take them out; a webhook is signed with `secret`',
      },
    );
  }
  return url;
}

/** Throws RetryableError `webhook-header`: the platform's error would repeat the value, which may be a secret. */
function readHeaders({ headers }: Request, host: string): Headers {
  try {
    return new Headers({
      'content-type': 'application/json',
      'user-agent': 'mainsheet',
      ...headers,
    });
  } catch {
    const message = `what ${host} is to be asked with has characters that no header can have`;
    throw new RetryableError('webhook-header', message, {
      hint: 'check the secret that is the token: it is one line of ASCII',
    });
  }
}

function failureBefore(
  { host, what }: { host: string; what: string },
  timeout: AbortSignal,
  signal: AbortSignal,
  timeoutMs: number,
): { code: string; message: string } {
  if (timeout.aborted) {
    const message = `the ${what} at ${host} did not answer within ${timeoutMs} ms`;
    return { code: 'webhook-timeout', message };
  }
  return signal.aborted
    ? { code: 'webhook-aborted', message: `the ${what} to ${host} was called off` }
    : { code: 'webhook-unreachable', message: `the ${what} at ${host} cannot be reached` };
}

function refusal(host: string, response: Response, now: number): Error {
  const { status } = response;
  const message = `the webhook at ${host} answered ${status}`;
  if (status === 410) {
    return new TerminalError('webhook-gone', `${message}: it is there no more`, {
      hint: 'take the webhook out of the spec',
    });
  }
  const retryAfterMs = askedPause(response, now);
  if (status < 400) {
    return new RetryableError('webhook-redirected', `${message}, and redirects are not followed`, {
      retryAfterMs,
      hint: 'name the final URL in the spec',
    });
  }
  const code = isBusy(status) ? 'webhook-unavailable' : 'webhook-refused';
  return new RetryableError(code, message, { retryAfterMs });
}
