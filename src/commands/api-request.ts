import * as z from 'zod';
import { describeError, RetryableError, TerminalError } from '../lib/errors.ts';
import type { MainsheetError } from '../lib/errors.ts';
import { wayOutProblem } from '../lib/way-out.ts';
import { problemAnswer } from './api-answers.ts';
import { parseJson } from '../lib/json.ts';

/** Until an answer begins, and for an answer that is not a stream until it ends. */
const TIMEOUT_MS = 30_000;
/** The server sends a sign of life every 15 seconds; a stream that is silent for three of them is dead. */
const SILENCE_MS = 45_000;
const OTHER_VERSION =
  'the server is probably of another version: compare with "mainsheet --version"';
/** By code, where the server's own hint is for programs that speak HTTP. */
const HINTS: Record<string, string> = {
  'token-missing':
    "set MAINSHEET_ADMIN_TOKEN to the server's; where the server made it, run this as the server's user, on its machine, with its MAINSHEET_DATA_DIR",
  'invalid-cursor': 'take the one that the page before ended with, or leave --cursor out',
  'invalid-query': OTHER_VERSION,
  'no-such-route': OTHER_VERSION,
  'method-not-allowed': OTHER_VERSION,
};
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** Where a server is, and how it is asked. */
export interface ServerAccess {
  /** What paths are put behind; `createApi` takes slashes off its end. */
  url: string;
  token: string | undefined;
  signal: AbortSignal;
  userAgent: string;
  fetch: typeof fetch;
  /** Until an answer begins, in milliseconds; default 30 seconds. */
  timeoutMs?: number;
}

/** What is asked. */
interface Sent {
  method?: 'POST' | 'DELETE';
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Until an answer begins, in milliseconds, for what may take longer than other requests. */
  timeoutMs?: number;
}

/** Requests to one server. All throw RetryableError when it cannot answer and TerminalError when it refuses. */
export function createApiRequest(deps: ServerAccess) {
  const { url } = deps;

  async function send(
    path: string,
    { method, headers, json, timeoutMs, text, isStream }: Sent & { text?: string; isStream?: true },
  ): Promise<{ response: Response; body: AsyncIterable<Uint8Array> }> {
    const late = new AbortController();
    const expire = () => late.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(expire, timeoutMs ?? deps.timeoutMs ?? TIMEOUT_MS);
    try {
      const response = await deps.fetch(url + path, {
        method: method ?? 'GET',
        // A redirect would turn a POST into a GET, and whom to give the token is for the user to decide.
        redirect: 'manual',
        headers: {
          'User-Agent': deps.userAgent,
          ...(deps.token === undefined ? {} : { Authorization: `Bearer ${deps.token}` }),
          ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: text ?? (json === undefined ? null : JSON.stringify(json)),
        signal: AbortSignal.any([deps.signal, late.signal]),
      });
      if (!isStream) return { response, body: bytesOf(response, timer) };
      clearTimeout(timer);
      const silence = setTimeout(expire, SILENCE_MS);
      return { response, body: bytesOf(response, silence, () => silence.refresh()) };
    } catch (error) {
      clearTimeout(timer);
      throw asUnreachable(error);
    }
  }

  async function* bytesOf(
    response: Response,
    timer: NodeJS.Timeout,
    onBytes?: () => void,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of response.body ?? []) {
        onBytes?.();
        yield bytes;
      }
    } catch (error) {
      throw asUnreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  function asUnreachable(error: unknown): unknown {
    if (deps.signal.aborted) return error;
    return new RetryableError('server-unreachable', `cannot reach Mainsheet at ${url}`, {
      cause: causeOf(error),
      hint:
        wayOutProblem(error)?.hint ??
        'is "mainsheet serve" running? set MAINSHEET_URL or --server to where it listens',
    });
  }

  function refusal(response: Response, text: string): MainsheetError {
    const { status } = response;
    const location = response.headers.get('Location');
    if (status >= 300 && status < 400 && location !== null) {
      return new TerminalError('redirected', `${url} redirects to ${location}`, {
        hint: 'set MAINSHEET_URL or --server to where it redirects to',
      });
    }
    const problem = problemAnswer.safeParse(parseJson(text));
    if (!problem.success) return notMainsheet(status, undefined);
    const { code, detail } = problem.data;
    const hint = HINTS[code] ?? problem.data.hint;
    return status >= 500 || status === 429
      ? new RetryableError(code, detail, { hint })
      : new TerminalError(code, detail, { hint });
  }

  function notMainsheet(status: number, detail: string | undefined): MainsheetError {
    const message = `${url} answered ${status}, but not as Mainsheet does`;
    const options = {
      cause: detail,
      hint: 'check that MAINSHEET_URL or --server names a Mainsheet of the same version',
    };
    // A proxy in front answers for a server that is just being restarted.
    return [502, 503, 504].includes(status)
      ? new RetryableError('not-mainsheet', message, options)
      : new TerminalError('not-mainsheet', message, options);
  }

  return {
    /** The JSON answer, checked. `accept` names statuses beside 2xx whose answer is one too. */
    async ask<Answer extends z.ZodType>(
      answer: Answer,
      path: string,
      { accept = [], ...sent }: Sent & { accept?: readonly number[] } = {},
    ): Promise<z.output<Answer>> {
      const headers = { Accept: 'application/json' };
      const { response, body } = await send(path, { headers, ...sent });
      const text = await readText(body);
      if (!response.ok && !accept.includes(response.status)) throw refusal(response, text);
      const read = answer.safeParse(parseJson(text));
      if (read.success) return read.data;
      throw notMainsheet(response.status, z.prettifyError(read.error));
    },

    /** The answer's bytes as they come. */
    async stream(path: string, sent: Sent): Promise<AsyncIterable<Uint8Array>> {
      const { response, body } = await send(path, { ...sent, isStream: true });
      if (response.ok) return body;
      throw refusal(response, await readText(body));
    },

    /** Sends a body and gives the answer, whatever it is. */
    async post(
      path: string,
      headers: Record<string, string>,
      text: string,
    ): Promise<{ status: number; text: string }> {
      const { response, body } = await send(path, { method: 'POST', headers, text });
      return { status: response.status, text: await readText(body) };
    },
  };
}

/** Text of bytes that may end inside a character. */
export async function* decode(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const bytes of body) yield decoder.decode(bytes, { stream: true });
  yield decoder.decode();
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of decode(body)) {
    text += piece;
    if (text.length > LARGEST_ANSWER) {
      throw new TerminalError('answer-too-large', 'the server answered with more than 64 MB');
    }
  }
  return text;
}

/** "fetch failed" says nothing; its cause does, and of several addresses that were tried the first is enough. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return describeError(cause instanceof AggregateError ? cause.errors[0] : cause);
}
