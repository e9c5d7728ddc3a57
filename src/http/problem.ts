import type { Context, Middleware } from 'koa';
import { describeError, MainsheetError, RetryableError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** An answer that is not the one hoped for: RFC 9457, https://www.rfc-editor.org/rfc/rfc9457 */
export class ProblemError extends MainsheetError {
  override readonly name = 'ProblemError';
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    detail: string,
    options: { hint?: string; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(code, detail, options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  409: 'Conflict',
  413: 'Content too large',
  415: 'Unsupported media type',
  422: 'Unprocessable content',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Service unavailable',
};

/** Status codes for errors that come from below and mean the caller. */
const STATUS_BY_CODE: Record<string, number> = {
  'delivery-unknown': 404,
  'hook-unknown': 404,
  'hook-key-missing': 409,
  'hook-unsuitable': 409,
  'run-unknown': 404,
  'entry-unknown': 404,
  'spec-unknown': 404,
  'lane-unknown': 404,
  'illegal-transition': 409,
  'run-lost': 409,
  'nothing-to-roll-back-to': 409,
  'entry-not-dead': 409,
  'delivery-copied': 409,
  'delivery-forgotten': 409,
  'delivery-pending': 409,
  'already-paused': 409,
  'not-paused': 409,
  'no-gate': 409,
  'not-an-approver': 403,
  'spec-unreadable': 409,
  'invalid-cursor': 400,
  'invalid-repository': 400,
  'bad-commit': 400,
  'header-missing': 400,
  'event-mismatch': 400,
  'bad-signature': 401,
  'payload-unreadable': 400,
};

/** What a caller is asked to wait after an error that may well be over then, in seconds, when the error does not say. */
const RETRY_AFTER_S = 10;

/** Turns whatever is thrown below into `application/problem+json`, and logs what was not expected, once. */
export function problems(logger: Logger): Middleware {
  return async (ctx, next) => {
    try {
      if (!hasReadableTarget(ctx)) {
        throw new ProblemError(400, 'bad-target', 'the request target is not a URL');
      }
      await next();
      if (ctx.status === 404 && ctx.body === undefined) {
        throw new ProblemError(404, 'no-such-route', `there is nothing at ${ctx.path}`, {
          hint: 'the API is described at /api/v1/openapi.json',
        });
      }
      // The router has set `Allow`.
      if (ctx.status === 405 && ctx.body === undefined) {
        throw new ProblemError(
          405,
          'method-not-allowed',
          `${ctx.path} does not take ${ctx.method}`,
        );
      }
    } catch (error) {
      answer(ctx, error, logger);
    }
  };
}

/** Koa reads the target when it is first asked for its path, and throws for one such as `http://[`. */
function hasReadableTarget(ctx: Context): boolean {
  try {
    return typeof ctx.path === 'string';
  } catch {
    return false;
  }
}

/** What a client is told of an error. */
export interface Problem {
  status: number;
  headers: Record<string, string>;
  title: string;
  code: string;
  detail: string;
  hint: string | undefined;
}

/** Says what a client is told of an error, and logs it when it was not expected. */
export function explainError(
  request: Pick<Context, 'method' | 'path'>,
  error: unknown,
  logger: Logger,
): Problem {
  const { status, headers, code, message, hint } = toAnswer(error);
  // A ProblemError was thrown on purpose: who threw it has logged what there was to log.
  if (status >= 500 && !(error instanceof ProblemError)) {
    // A target that cannot be read has no path.
    const { method, path } = request;
    logger.error({ method, path, status, error: describeError(error) }, 'request failed');
  }
  return { status, headers, title: TITLES[status] ?? 'Error', code, detail: message, hint };
}

function answer(ctx: Context, error: unknown, logger: Logger): void {
  const problem = explainError(ctx, error, logger);
  ctx.status = problem.status;
  ctx.set(problem.headers);
  ctx.body = problemBody(problem);
  ctx.type = PROBLEM_TYPE;
}

export const PROBLEM_TYPE = 'application/problem+json';

/** The JSON that says it. */
export function problemBody({ status, title, code, detail, hint }: Problem): object {
  const body = { type: 'about:blank', title, status, code, detail };
  return hint === undefined ? body : { ...body, hint };
}

function toAnswer(
  error: unknown,
): Pick<ProblemError, 'status' | 'headers' | 'code' | 'message' | 'hint'> {
  if (error instanceof ProblemError) return error;
  const status = error instanceof MainsheetError ? statusOf(error) : undefined;
  if (error instanceof MainsheetError && status !== undefined) {
    const { code, message, hint } = error;
    const headers = error instanceof RetryableError ? { 'Retry-After': retryAfter(error) } : NONE;
    return { status, headers, code, message, hint };
  }
  // What went wrong inside is for the log; the caller is told no more than that it did.
  return INTERNAL;
}

const NONE = {};

const INTERNAL = {
  status: 500,
  headers: NONE,
  code: 'internal',
  message: 'Mainsheet failed to answer; its log says why',
  hint: undefined,
};

/** What may be tried again is not the caller's fault; what cannot help when it is tried again is. */
function statusOf(error: MainsheetError): number | undefined {
  const listed = STATUS_BY_CODE[error.code];
  if (listed !== undefined) return listed;
  if (error instanceof RetryableError) return 503;
  return error instanceof TerminalError ? 422 : undefined;
}

/** In seconds, as the header wants it. */
function retryAfter({ retryAfterMs }: RetryableError): string {
  return String(retryAfterMs === undefined ? RETRY_AFTER_S : Math.ceil(retryAfterMs / 1000));
}
