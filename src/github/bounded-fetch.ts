import { RetryableError, TerminalError } from '../lib/errors.ts';
import { wayOutProblem } from '../lib/way-out.ts';

/** How long a request may take until its last byte, and how much it may bring. */
export interface FetchBounds {
  timeoutMs: number;
  /** Bytes of an answer's body. */
  maxBytes: number;
  /** What requests are sent with. */
  fetch: typeof fetch;
}

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 307, 308]);
/** Answers that have no body by definition; a `Response` cannot even be made with one. */
const BODILESS = new Set([204, 205, 304]);

/**
 * A `fetch` for Octokit that always ends: the time-out covers the connection, the headers and the whole body, which is read here
 * because Octokit takes a body that breaks off for an empty one. Follows GitHub's redirects (a renamed repository) with the method
 * they were asked with, where the platform's would turn a POST into a GET, and only on the same origin, so that the token goes
 * nowhere else: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
 *
 * Throws RetryableError (`github-timeout`, `github-unreachable`, `github-aborted`, or what `wayOutProblem` calls it) or TerminalError (`github-redirected`,
 * `github-answer-too-long`).
 */
export function createBoundedFetch(bounds: FetchBounds): typeof fetch {
  return async (input, init = {}) => {
    const timeout = AbortSignal.timeout(bounds.timeoutMs);
    const signal = AbortSignal.any([timeout, ...(init.signal ? [init.signal] : [])]);
    const url = new URL(input instanceof Request ? input.url : input);
    try {
      const response = await follow(bounds.fetch, url, { ...init, signal, redirect: 'manual' });
      const body = await readBody(response, bounds.maxBytes);
      const { status, statusText, headers } = response;
      return new Response(body, { status, statusText, headers });
    } catch (error) {
      if (error instanceof TerminalError) throw error;
      throw asRetryable(error, { host: url.host, timeout, signal, timeoutMs: bounds.timeoutMs });
    }
  };
}

async function follow(
  send: typeof fetch,
  url: URL,
  init: RequestInit,
  hops = 0,
): Promise<Response> {
  const response = await send(url, init);
  const location = response.headers.get('location');
  if (!REDIRECTS.has(response.status) || location === null) return response;
  await response.body?.cancel();
  const next = URL.parse(location, url.href);
  if (next?.origin !== url.origin || hops === MAX_REDIRECTS) {
    throw new TerminalError('github-redirected', `${url.host} redirects to somewhere else`, {
      hint: 'check GITHUB_API_URL',
    });
  }
  return follow(send, next, init, hops + 1);
}

async function readBody(response: Response, maxBytes: number): Promise<Buffer | null> {
  if (response.body === null || BODILESS.has(response.status)) return null;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new TerminalError(
        'github-answer-too-long',
        `GitHub's answer exceeds ${maxBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function asRetryable(
  cause: unknown,
  request: { host: string; timeout: AbortSignal; signal: AbortSignal; timeoutMs: number },
): RetryableError {
  const { host, timeout, signal, timeoutMs } = request;
  if (timeout.aborted) {
    return new RetryableError('github-timeout', `${host} took longer than ${timeoutMs} ms`, {
      cause,
    });
  }
  if (signal.aborted) {
    return new RetryableError('github-aborted', `the request to ${host} was called off`, { cause });
  }
  const { code, hint } = wayOutProblem(cause) ?? {
    code: 'github-unreachable',
    hint: 'see that this machine gets there; where a proxy is needed, set HTTPS_PROXY',
  };
  return new RetryableError(code, `${host} cannot be reached`, { cause, hint });
}
