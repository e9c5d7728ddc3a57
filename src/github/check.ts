import { createAppAuth } from '@octokit/auth-app';
import { RequestError } from '@octokit/request-error';
import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import { isFromElsewhere, notTheApi, readAnswer, refusalOf } from './api-address.ts';
import { asGitHubFailure } from './failure.ts';
import { asAppFailure } from './installations.ts';
import { createOctokit, type OctokitSettings } from './octokit.ts';

/** One thing that was looked at. */
export interface GitHubCheck {
  ok: boolean;
  detail: string;
  /** What to do when it is not ok. */
  hint?: string;
}

/** What an App must be allowed, and why. https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps */
export interface Permission {
  name: string;
  least: 'read' | 'write';
  /** As in "needs it to set commit statuses". */
  why: string;
}

const CONTENTS: Permission = {
  name: 'contents',
  least: 'read',
  why: 'to check out what is deployed',
};

const appAnswer = z.object({
  name: z.string(),
  permissions: z.record(z.string(), z.string()),
  events: z.array(z.string()),
  installations_count: z.number().optional(),
});
const rateLimitAnswer = z.object({
  resources: z.object({ core: z.object({ limit: z.number(), remaining: z.number() }) }),
});

/** App tokens carry the time they were made at, and GitHub takes a minute's difference at most. */
const MAX_CLOCK_SKEW_MS = 60_000;

/** Whether the App authenticates, may read code and has `permissions`, hears of the events, and is installed. Never throws. */
export async function checkApp(
  settings: OctokitSettings,
  app: { appId: string; privateKey: string },
  permissions: readonly Permission[],
): Promise<GitHubCheck[]> {
  try {
    const client = createOctokit(settings, { authStrategy: createAppAuth, auth: app });
    const { data, headers } = await client.request('GET /app');
    const told = readAnswer(appAnswer, data, settings.apiUrl);
    const granted: Record<string, string | undefined> = told.permissions;
    return [
      { ok: true, detail: `authenticated as the GitHub App "${told.name}"` },
      ...checkSkew(headers.date, settings.clock),
      ...[CONTENTS, ...permissions].flatMap((permission) => checkPermission(permission, granted)),
      ...checkEvents(told.events),
      ...checkInstalled(told.installations_count),
      ...(granted.contents === 'read'
        ? [{ ok: true, detail: 'contents: read; repository_dispatch needs contents: write' }]
        : []),
    ];
  } catch (error) {
    if (isFromElsewhere(error)) return [asCheck(notTheApi(settings.apiUrl))];
    const check = asCheck(asAppFailure(error, undefined, settings.clock.now()));
    if (!isMissing(error)) return [check];
    const hint = 'check GITHUB_APP_ID, and that GITHUB_API_URL is of the GitHub that has the App';
    return [{ ...check, hint }];
  }
}

/** Whether GitHub takes the token, and, for a classic one, whether its scopes suffice. Never throws. */
export async function checkToken(settings: OctokitSettings, token: string): Promise<GitHubCheck[]> {
  const { apiUrl, clock } = settings;
  try {
    const client = createOctokit(settings, { auth: token });
    const { data, headers } = await client.request('GET /rate_limit');
    const { limit, remaining } = readAnswer(rateLimitAnswer, data, apiUrl).resources.core;
    return [
      { ok: true, detail: `the token is accepted; ${remaining} of ${limit} requests are left` },
      ...checkSkew(headers.date, clock),
      ...checkScopes(headers['x-oauth-scopes']),
    ];
  } catch (error) {
    // GitHub Enterprise Server has none unless its owner wants them, and says so in a 404, but only to a token that it takes:
    // https://github.com/actions/stale/issues/1227
    if (isMissing(error) && /\brate limit/i.test(refusalOf(error) ?? '')) {
      return [{ ok: true, detail: 'the token is accepted; there are no rate limits' }];
    }
    if (isMissing(error) || isFromElsewhere(error)) return [asCheck(notTheApi(apiUrl))];
    return [asCheck(asGitHubFailure(error, { doing: 'use the token', now: clock.now() }))];
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof RequestError && error.status === 404;
}

function checkPermission(
  { name, least, why }: Permission,
  granted: Record<string, string | undefined>,
): GitHubCheck[] {
  const has = granted[name];
  if (has === least || has === 'write') return [];
  return [
    {
      ok: false,
      detail: `the App has ${name}: ${has ?? 'no access'}, but needs ${least} ${why}`,
      hint: 'add it under "Permissions & events", then accept it in each installation',
    },
  ];
}

function checkEvents(events: readonly string[]): GitHubCheck[] {
  const missing = ['push', 'release', 'workflow_run'].filter((event) => !events.includes(event));
  return missing.map((event) =>
    event === 'push'
      ? {
          ok: false,
          detail: 'the App does not subscribe to push, so that no push can be deployed',
          hint: 'tick it under "Permissions & events"',
        }
      : {
          ok: true,
          detail: `the App does not subscribe to ${event}; specs with on.${event} need it`,
        },
  );
}

function checkInstalled(count: number | undefined): GitHubCheck[] {
  if (count !== 0) return [];
  const hint = 'install it on the repositories that are to be deployed';
  return [{ ok: false, detail: 'the App is not installed anywhere', hint }];
}

/** Fine-grained tokens send no scopes, and GitHub has no way to ask for their permissions. */
function checkScopes(header: unknown): GitHubCheck[] {
  if (typeof header !== 'string' || header === '') return [];
  const scopes = new Set(header.split(',').map((scope) => scope.trim()));
  const missing = ['repo:status', 'repo_deployment'].filter((scope) => !scopes.has(scope));
  if (scopes.has('repo') || missing.length === 0) return [];
  return [
    {
      ok: false,
      detail: `the token lacks the scopes ${missing.join(' and ')}`,
      hint: 'make one with the scope repo, or better a fine-grained one, or use a GitHub App',
    },
  ];
}

function checkSkew(date: string | undefined, clock: Clock): GitHubCheck[] {
  const skew = date === undefined ? 0 : Math.abs(Date.parse(date) - clock.now());
  if (!(skew > MAX_CLOCK_SKEW_MS)) return [];
  const detail = `this machine's clock is ${Math.round(skew / 1000)} s off GitHub's`;
  return [{ ok: false, detail, hint: 'let NTP set it: App tokens are refused otherwise' }];
}

function asCheck(error: Error): GitHubCheck {
  const hint = hintOf(error);
  return { ok: false, detail: describeError(error), ...(hint === undefined ? {} : { hint }) };
}
