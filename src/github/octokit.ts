import { randomUUID } from 'node:crypto';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { RequestError } from '@octokit/request-error';
import { Octokit } from '@octokit/rest';
import type { createAppAuth } from '@octokit/auth-app';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { isLoopback } from '../lib/way-out.ts';
import { createBoundedFetch } from './bounded-fetch.ts';
import type { PrimaryLimit } from './budget.ts';
import { isPage, unreadableAnswer } from './failure.ts';
import { ownerOf } from '../lib/names.ts';

/** What every client of one GitHub has in common. */
export interface OctokitSettings {
  apiUrl: string;
  logger: Logger;
  clock: Clock;
  userAgent: string;
  requestTimeoutMs: number;
  fetch: typeof fetch;
  /** Told what GitHub's answers say about the primary limit; `account` is the owner of the repository that was asked about. */
  onPrimaryLimit?: ((account: string, primary: PrimaryLimit) => void) | undefined;
}

/** How a client proves who it is: a token, or an App's key with the strategy that makes tokens of it. */
export type Credentials =
  | { auth: string }
  /** None: for what GitHub answers to all. */
  | { auth?: never }
  | {
      authStrategy: typeof createAppAuth;
      auth: { appId: string; privateKey: string; installationId?: number };
    };

/** Pages of deliveries with their payloads are the longest answers that are asked for here. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Answers that asking again a second later will not better; rate limits are waited for by the caller. */
const NOT_RETRIED_HERE = [400, 401, 403, 404, 409, 410, 422, 429, 451];

type ResponseHeaders = Record<string, string | number | undefined>;

const Client = Octokit.plugin(throttling, retry);

/**
 * A client for one set of credentials. Against a real GitHub it sends at most one changing request a second
 * (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests) and ten
 * requests at once; a stand-in on this machine's loopback needs no sparing.
 *
 * It never waits for a rate limit to pass and never repeats a changing request: the outbox does both, durably, and a repeated
 * request whose first answer was lost would create things twice. A reading request is repeated once.
 */
export function createOctokit(settings: OctokitSettings, credentials: Credentials): Octokit {
  const { logger, clock } = settings;
  const log = octokitLog(logger);
  const leaveToCaller = () => false;
  const client = new Client({
    ...credentials,
    baseUrl: settings.apiUrl.replace(/\/+$/, ''),
    userAgent: settings.userAgent,
    log,
    request: {
      fetch: createBoundedFetch({
        timeoutMs: settings.requestTimeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        fetch: settings.fetch,
      }),
      log,
    },
    throttle: isLoopback(URL.parse(settings.apiUrl)?.hostname ?? '')
      ? { enabled: false }
      : // Without an id of its own every client in the process would share one queue.
        { id: randomUUID(), onRateLimit: leaveToCaller, onSecondaryRateLimit: leaveToCaller },
    retry: { retries: 1, doNotRetry: NOT_RETRIED_HERE },
  });
  client.hook.wrap('request', async (request, options) => {
    const startedAt = clock.now();
    const reads = options.method === 'GET' || options.method === 'HEAD';
    // A copy, because the plugin counts in it and all requests share the original: pauses would grow from one to the next.
    // `retries` is only ever 0: any other number here would make the plugin repeat what `doNotRetry` excludes.
    options.request = { ...options.request, ...(reads ? {} : { retries: 0 }) };
    options.headers['x-github-api-version'] ??= '2022-11-28';
    // The template, without its values; the next page of a list has a whole URL in its place.
    const route = `${options.method} ${options.url.split('?')[0]}`;
    const tell = (status: number, headers: ResponseHeaders) => {
      logger.debug({ route, status, ms: clock.now() - startedAt }, 'GitHub request');
      const primary = primaryLimitOf(headers);
      const owner: unknown = options['owner'];
      if (primary !== undefined && typeof owner === 'string') {
        settings.onPrimaryLimit?.(ownerOf(owner), primary);
      }
    };
    try {
      const response = await request(options);
      tell(response.status, response.headers);
      // Text in the place of JSON is the page of a proxy, or of GitHub in trouble.
      if (isPage(response.data)) throw unreadableAnswer(response.status);
      return response;
    } catch (error) {
      const answer = error instanceof RequestError ? error.response : undefined;
      tell(answer?.status ?? 0, answer?.headers ?? {});
      throw error;
    }
  });
  return client;
}

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit */
function primaryLimitOf(headers: ResponseHeaders): PrimaryLimit | undefined {
  if ((headers['x-ratelimit-resource'] ?? 'core') !== 'core') return undefined;
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => {
    const value = headers[`x-ratelimit-${name}`];
    return value === undefined ? Number.NaN : Number(value);
  });
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined;
  return Number.isFinite(limit + remaining + reset)
    ? { limit, remaining, resetAt: reset * 1000 }
    : undefined;
}

/** Octokit's own lines: its requests are logged above, its warnings (deprecations, clock skew) do not matter to people on call. */
function octokitLog(logger: Logger) {
  const ignore = () => {};
  const warn = (message: string) => logger.debug({ message }, 'Octokit warning');
  return { debug: ignore, info: ignore, warn, error: ignore };
}
