import type { Octokit } from '@octokit/rest';
import type { Clock } from '../lib/clock.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure } from './failure.ts';

/** A delivery as GitHub lists it: that it was tried, not what was in it. */
export interface ListedDelivery {
  /** GitHub's number of this attempt, as text: it may have more digits than a number keeps. */
  number: string;
  /** `X-GitHub-Delivery`; the same for every attempt. */
  guid: string;
  event: string;
  /** What has happened, of events that say so. */
  action: string | undefined;
  /** Milliseconds since the epoch. */
  deliveredAt: number;
}

/** A webhook whose deliveries GitHub remembers, for about three days. Everything throws as `asGitHubFailure` says. */
export interface Hook {
  /** Names it among all: `app`, or `acme/shop#4711`. */
  name: string;
  /** A page of what was delivered, newest first, and the cursor of the next one. */
  list(cursor: string | undefined): Promise<{
    deliveries: ListedDelivery[];
    next: string | undefined;
  }>;
  /** What a delivery had in it; undefined when GitHub has not kept it. */
  sent(number: string): Promise<Sent | undefined>;
}

/** What GitHub keeps of the request of a delivery. */
export interface Sent {
  /** JSON, but not to the byte what was signed. */
  payload: string;
  /** `X-Hub-Signature-256`; undefined when the webhook had no secret, or the list does not show it. */
  signature: string | undefined;
}

const PAGE = 100;
const SIGNATURE_HEADER = /^x-hub-signature-256$/i;
const SIGNATURE = /^sha256=[0-9a-f]{64}$/;

/**
 * The webhooks that deliver to us: the App's own (https://docs.github.com/en/rest/apps/webhooks), or with a token those
 * of the repository that have `address` as their URL (https://docs.github.com/en/rest/repos/webhooks), which needs the
 * right to read them. `repository` is not looked at as an App. No request outlasts `signal`.
 */
export async function findHooks(
  deps: { github: GitHub; clock: Clock; signal: AbortSignal },
  repository: string,
  address: string,
): Promise<Hook[]> {
  const { github, clock, signal } = deps;
  const { app } = github;
  const request = { signal };
  if (app !== undefined) return [appHook(app, clock, request)];
  const [owner = '', repo = ''] = repository.split('/');
  return await attempt(`list the webhooks of ${repository}`, clock, async () => {
    const octokit = await github.octokit(repository);
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/hooks', {
      owner,
      repo,
      per_page: PAGE,
      request,
    });
    return data
      .filter((hook) => hook.active && sameAddress(hook.config.url ?? '', address))
      .map((hook) => repositoryHook(octokit, clock, { owner, repo, hook_id: hook.id, request }));
  });
}

function appHook(octokit: Octokit, clock: Clock, request: { signal: AbortSignal }): Hook {
  return {
    name: 'app',
    list: (cursor) =>
      attempt("list the App's deliveries", clock, async () =>
        pageOf(
          await octokit.request('GET /app/hook/deliveries', {
            per_page: PAGE,
            request,
            ...(cursor === undefined ? {} : { cursor }),
          }),
        ),
      ),
    sent: (number) =>
      attempt("read one of the App's deliveries", clock, async () =>
        sentOf(
          // Put into the path as it is, because as a number it may lose its last digits.
          await octokit.request(`GET /app/hook/deliveries/${checkNumber(number)}`, { request }),
        ),
      ),
  };
}

function repositoryHook(
  octokit: Octokit,
  clock: Clock,
  hook: { owner: string; repo: string; hook_id: number; request: { signal: AbortSignal } },
): Hook {
  const name = `${hook.owner}/${hook.repo}`;
  return {
    name: `${name.toLowerCase()}#${hook.hook_id}`,
    list: (cursor) =>
      attempt(`list the deliveries of ${name}`, clock, async () =>
        pageOf(
          await octokit.request('GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries', {
            ...hook,
            per_page: PAGE,
            ...(cursor === undefined ? {} : { cursor }),
          }),
        ),
      ),
    sent: (number) =>
      attempt(`read a delivery of ${name}`, clock, async () =>
        sentOf(
          await octokit.request(
            `GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/${checkNumber(number)}`,
            hook,
          ),
        ),
      ),
  };
}

async function attempt<Result>(
  doing: string,
  clock: Clock,
  act: () => Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw asGitHubFailure(error, { doing, now: clock.now() });
  }
}

function pageOf(response: {
  data: {
    id: number | bigint;
    guid: string;
    event: string;
    action?: string | null;
    delivered_at: string;
  }[];
  headers: { link?: string | undefined };
}): { deliveries: ListedDelivery[]; next: string | undefined } {
  return {
    deliveries: response.data.map((item) => ({
      number: String(item.id),
      guid: item.guid,
      event: item.event,
      action: item.action ?? undefined,
      deliveredAt: Date.parse(item.delivered_at),
    })),
    next: cursorOf(response.headers.link),
  };
}

/** https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers */
function cursorOf(link: string | undefined): string | undefined {
  const next = /<([^>]+)>;[^,]*\brel="next"/.exec(link ?? '')?.[1];
  return next === undefined
    ? undefined
    : (URL.parse(next)?.searchParams.get('cursor') ?? undefined);
}

function sentOf({ data }: { data: unknown }): Sent | undefined {
  const request = field(data, 'request');
  const payload = field(request, 'payload');
  if (typeof payload !== 'object' || payload === null) return undefined;
  // Octokit reads long whole numbers as bigint, which JSON.stringify refuses.
  const text = JSON.stringify(payload, (_key, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  const headers = Object.entries(field(request, 'headers') ?? {});
  const signature = String(headers.find(([name]) => SIGNATURE_HEADER.test(name))?.[1]);
  return { payload: text, signature: SIGNATURE.test(signature) ? signature : undefined };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? Reflect.get(value, name)
    : undefined;
}

function checkNumber(number: string): string {
  if (/^\d{1,30}$/.test(number)) return number;
  throw new TypeError('a delivery has a number that is none');
}

/** Host names have no case, and a slash at the end means nothing here. */
function sameAddress(one: string, other: string): boolean {
  const [a, b] = [URL.parse(one), URL.parse(other)];
  const path = (url: URL) => url.pathname.replace(/\/+$/, '');
  return a !== null && b !== null && a.host === b.host && path(a) === path(b);
}
