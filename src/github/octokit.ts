import { randomUUID } from 'node:crypto';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { RequestError } from '@octokit/request-error';
import { Octokit } from '@octokit/rest';
import type { createAppAuth } from '@octokit/auth-app';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createBoundedFetch } from './bounded-fetch.ts';

/** What every client of one GitHub has in common. */
export interface OctokitSettings {
  apiUrl: string;
  logger: Logger;
  clock: Clock;
  userAgent: string;
  requestTimeoutMs: number;
}

/** How a client proves who it is: a token, or an App's key with the strategy that makes tokens of it. */
export type Credentials =
  | { auth: string }
  | {
      authStrategy: typeof createAppAuth;
      auth: { appId: string; privateKey: string; installationId?: number };
    };

/** Pages of deliveries with their payloads are the longest answers that anybody here asks for. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Answers that asking again a second later will not better; rate limits are waited for by whoever asked. */
const NOT_RETRIED_HERE = [400, 401, 403, 404, 409, 410, 422, 429, 451];

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
      }),
      log,
    },
    throttle: isLoopback(settings.apiUrl)
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
    const tell = (status: number) =>
      logger.debug({ route, status, ms: clock.now() - startedAt }, 'GitHub request');
    try {
      const response = await request(options);
      tell(response.status);
      return response;
    } catch (error) {
      tell(statusOf(error));
      throw error;
    }
  });
  return client;
}

function isLoopback(apiUrl: string): boolean {
  const host = URL.parse(apiUrl)?.hostname ?? '';
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** 0 when there was no answer at all. */
function statusOf(error: unknown): number {
  return error instanceof RequestError ? (error.response?.status ?? 0) : 0;
}

/** Octokit's own lines: its requests are logged above, its warnings (deprecations, clock skew) matter to nobody on call. */
function octokitLog(logger: Logger) {
  const ignore = () => {};
  const warn = (message: string) => logger.debug({ message }, 'Octokit warning');
  return { debug: ignore, info: ignore, warn, error: ignore };
}
