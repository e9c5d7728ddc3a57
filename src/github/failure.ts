import { RequestError } from '@octokit/request-error';
import { MainsheetError, RetryableError, TerminalError } from '../lib/errors.ts';
import { cleanLine } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';

/** What was tried, and what is known about it. */
export interface Attempt {
  /** As in "could not …": `set the status of acme/shop`. */
  doing: string;
  /** Milliseconds since the epoch. */
  now: number;
  /**
   * Whether "no such commit" may only mean "not yet": right after a push not all of GitHub's servers know the commit
   * (404, or 422 with "No commit found for SHA").
   */
  maybeTooEarly?: boolean;
}

const LONGEST_MESSAGE = 500;
/**
 * For a limit without a time, and for every refusal that passes:
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
const LEAST_PAUSE_MS = 60_000;
/** Primary limits are counted by the hour, so that nothing has to wait longer, whatever a clock says. */
const LONGEST_PAUSE_MS = 60 * 60_000;

/**
 * Whatever a request to GitHub threw, as one of the two errors that the outbox knows. Retryable: no answer, 5xx, rate limits
 * (with the time GitHub named), 401 (a token expires, an operator mends it), 403 unless it is for good, and whatever is not
 * GitHub's JSON, such as the page of a proxy. Terminal: every other refusal, with GitHub's message and its `errors`. The cause is
 * without the request and the answer, whose bodies may hold what a template filled in.
 */
export function asGitHubFailure(error: unknown, attempt: Attempt): MainsheetError {
  if (error instanceof MainsheetError) return error;
  if (!(error instanceof RequestError)) {
    const message = `could not ${attempt.doing}`;
    return new TerminalError('github-failed', message, { cause: error });
  }
  // Ours, thrown inside the client's fetch, which the client wraps.
  if (error.cause instanceof RetryableError || error.cause instanceof TerminalError) {
    return error.cause;
  }
  return fromAnswer(error, attempt);
}

/** An answer that is not what GitHub says when it has done what it was asked: a page of HTML, or another program's JSON. */
export function unreadableAnswer(status: number): RetryableError {
  return new RetryableError(
    'github-unreadable',
    `GitHub answered ${status} with something else than its API does`,
    {
      retryAfterMs: LEAST_PAUSE_MS,
      hint: 'a proxy may stand between, or GitHub is in trouble: check GITHUB_API_URL and www.githubstatus.com',
    },
  );
}

/** Whether the answer says that the token in use is none (any more). */
export function isAboutCredentials(error: unknown): boolean {
  if (!(error instanceof RequestError)) return false;
  // An installation that was removed or suspended refuses to make tokens.
  const makingToken = /\/app\/installations\/[^/]+\/access_tokens$/.test(error.request.url);
  return error.status === 401 || (makingToken && [403, 404, 422].includes(error.status));
}

function fromAnswer(error: RequestError, attempt: Attempt): MainsheetError {
  const { status } = error;
  const answer = error.response?.data;
  const isTrouble = status === 408 || status >= 500;
  // GitHub says why it refuses something; what is between does not always. In trouble it may well say nothing.
  const hasPage = isPage(answer) || (!isTrouble && !isObject(answer));
  const text = hasPage ? 'no JSON' : cleanLine(error.message);
  const said = cutText(text, LONGEST_MESSAGE);
  const message = `could not ${attempt.doing}: GitHub answered ${status}: ${said}`;
  const cause = withoutContents(error, said);
  const retryable = (
    code: string,
    more: { hint?: string; retryAfterMs?: number | undefined } = {},
  ) => new RetryableError(code, message, { cause, ...more });

  if (isRateLimit(error)) {
    return retryable('github-rate-limited', {
      retryAfterMs: pauseOf(error, attempt.now) ?? LEAST_PAUSE_MS,
    });
  }
  if (isAboutCredentials(error)) {
    return retryable('github-unauthorized', {
      hint: 'GITHUB_TOKEN, or the id or key of the App, is wrong or was revoked: set it again',
    });
  }
  const named = pauseOf(error, attempt.now);
  if (hasPage) {
    return retryable('github-unreadable', {
      retryAfterMs: Math.max(named ?? 0, LEAST_PAUSE_MS),
    });
  }
  if (isTrouble) {
    return retryable('github-unavailable', { retryAfterMs: named });
  }
  if (status === 403 && !FOR_GOOD.test(said)) {
    return retryable('github-forbidden', { retryAfterMs: LEAST_PAUSE_MS, ...hintFor(status) });
  }
  const missing = status === 404 || (status === 422 && /\bno (?:commit|ref) found\b/i.test(said));
  if (missing && attempt.maybeTooEarly) return retryable('github-not-found');
  return new TerminalError(refusalCode(error), message, { cause, ...hintFor(status) });
}

/**
 * 403s that stay: a missing permission, an archived repository. GitHub tells them from those that pass (an organisation's list of
 * allowed addresses, say) by their words alone, so one in other words is asked about again: that costs requests and no state.
 */
const FOR_GOOD = /\bnot accessible by\b|\barchived\b/i;

/** `github-invalid`: GitHub has read what it was sent, and says what in it is wrong. */
function refusalCode({ status, response }: RequestError): string {
  if (status === 404) return 'github-not-found';
  if (status === 422 && isObject(response?.data)) return 'github-invalid';
  return status === 403 ? 'github-forbidden' : 'github-refused';
}

function hintFor(status: number): { hint?: string } {
  if (status === 403) {
    return {
      hint: 'the App or token needs commit statuses, deployments, contents and for workflows actions: read and write',
    };
  }
  return status === 404
    ? { hint: 'the repository or commit is gone, or the App or token may not see it' }
    : {};
}

/**
 * Known by status, headers, the page that GitHub links to (`…#secondary-rate-limits`, `…#abuse-rate-limits`) and the code `abuse`
 * among its errors, since its words have changed more than once.
 */
function isRateLimit(error: RequestError): boolean {
  if (error.status === 429) return true;
  if (error.status !== 403 && error.status !== 422) return false;
  const said: unknown = error.response?.data;
  const { documentation_url: page, errors } = isObject(said) ? said : {};
  return (
    (error.status === 403 &&
      (header(error, 'retry-after') !== undefined ||
        header(error, 'x-ratelimit-remaining') === '0' ||
        /\brate limit\b/i.test(error.message))) ||
    (typeof page === 'string' && /rate-limit/i.test(page)) ||
    (Array.isArray(errors) &&
      errors.some((each: unknown) => isObject(each) && each['code'] === 'abuse'))
  );
}

/** Whether an answer has a body, and it is no JSON. */
export function isPage(data: unknown): boolean {
  return data !== undefined && data !== '' && !isObject(data);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof ArrayBuffer);
}

/** How long GitHub asks to wait: `retry-after` (seconds or a date), else until the primary limit is reset. */
function pauseOf(error: RequestError, now: number): number | undefined {
  const reset =
    header(error, 'x-ratelimit-remaining') === '0' ? header(error, 'x-ratelimit-reset') : undefined;
  return (
    parseRetryAfter(header(error, 'retry-after'), now) ??
    // A second more, so that the clocks' difference does not bring the request back too early.
    (reset === undefined ? undefined : clampPause(Number(reset) * 1000 - now + 1000))
  );
}

/** Milliseconds that a `Retry-After` header asks for, at most an hour: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return clampPause(seconds);
}

function clampPause(ms: number): number | undefined {
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_PAUSE_MS) : undefined;
}

function header(error: RequestError, name: string): string | undefined {
  const value = error.response?.headers[name];
  return value === undefined ? undefined : String(value);
}

function withoutContents(error: RequestError, message: string): RequestError {
  const { method, url } = error.request;
  const bare = new RequestError(message, error.status, { request: { method, url, headers: {} } });
  if (error.stack !== undefined) bare.stack = error.stack.replace(error.message, message);
  return bare;
}
