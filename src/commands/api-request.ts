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

/** Requests to one server. Throws RetryableError when it cannot answer and TerminalError when it refuses. */
export interface ApiRequest {
  /**
   * The JSON answer, checked. `accept` names statuses beside 2xx whose answer is one too. `timeoutMs`: for what may take longer
   * than other requests.
   */
  ask<Answer extends z.ZodType>(
    answer: Answer,
    path: string,
    options?: {
      method?: 'POST' | 'DELETE';
      /** Sent as JSON. */
      body?: unknown;
      accept?: readonly number[];
      timeoutMs?: number;
    },
  ): Promise<z.output<Answer>>;
  /** The answer's bytes as they come. `sent`: posts a body as JSON; `timeoutMs` is until the answer begins. */
  stream(
    path: string,
    headers: Record<string, string>,
    sent?: { body: unknown; timeoutMs?: number },
  ): Promise<AsyncIterable<Uint8Array>>;
  /** Sends a body and gives the answer, whatever it is. */
  post(
    path: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; text: string }>;
}

export function createApiRequest(deps: ServerAccess): ApiRequest {
  const { url } = deps;
  const timeoutMs = deps.timeoutMs ?? TIMEOUT_MS;

  async function send(
    path: string,
    init: {
      method: string;
      headers: Record<string, string>;
      body?: string;
      isStream: boolean;
      timeoutMs?: number;
    },
  ): Promise<{ response: Response; body: AsyncIterable<Uint8Array> }> {
    const late = new AbortController();
    const expire = () => late.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(expire, init.timeoutMs ?? timeoutMs);
    try {
      const response = await deps.fetch(url + path, {
        method: init.method,
        // A redirect would turn a POST into a GET, and whom to give the token is for the user to decide.
        redirect: 'manual',
        headers: {
          'User-Agent': deps.userAgent,
          ...(deps.token === undefined ? {} : { Authorization: `Bearer ${deps.token}` }),
          ...init.headers,
        },
        ...(init.body === undefined ? {} : { body: init.body }),
        signal: AbortSignal.any([deps.signal, late.signal]),
      });
      if (!init.isStream) return { response, body: bytesOf(response, timer) };
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
    const options = hint === undefined ? {} : { hint };
    return status >= 500 || status === 429
      ? new RetryableError(code, detail, options)
      : new TerminalError(code, detail, options);
  }

  function notMainsheet(status: number, detail: string | undefined): MainsheetError {
    const message = `${url} answered ${status}, but not as Mainsheet does`;
    const options = {
      ...(detail === undefined ? {} : { cause: detail }),
      hint: 'check that MAINSHEET_URL or --server names a Mainsheet of the same version',
    };
    // A proxy in front answers for a server that is just being restarted.
    return [502, 503, 504].includes(status)
      ? new RetryableError('not-mainsheet', message, options)
      : new TerminalError('not-mainsheet', message, options);
  }

  return {
    async ask(answer, path, { method, body: sent, accept = [], ...timing } = {}) {
      const isSent = sent !== undefined;
      const headers = {
        Accept: 'application/json',
        ...(isSent ? { 'Content-Type': 'application/json' } : {}),
      };
      const content = isSent ? { body: JSON.stringify(sent) } : {};
      const init = { method: method ?? 'GET', headers, isStream: false, ...content, ...timing };
      const { response, body } = await send(path, init);
      const text = await readText(body);
      if (!response.ok && !accept.includes(response.status)) throw refusal(response, text);
      const read = answer.safeParse(parseJson(text));
      if (read.success) return read.data;
      throw notMainsheet(response.status, z.prettifyError(read.error));
    },

    async stream(path, headers, sent) {
      const init =
        sent === undefined
          ? { method: 'GET', headers, isStream: true }
          : {
              method: 'POST',
              headers: { ...headers, 'Content-Type': 'application/json' },
              body: JSON.stringify(sent.body),
              isStream: true,
              ...(sent.timeoutMs === undefined ? {} : { timeoutMs: sent.timeoutMs }),
            };
      const { response, body } = await send(path, init);
      if (response.ok) return body;
      throw refusal(response, await readText(body));
    },

    async post(path, headers, content) {
      const init = { method: 'POST', headers, body: content, isStream: false };
      const { response, body } = await send(path, init);
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
