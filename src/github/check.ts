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

/** The events that are handled: https://docs.github.com/en/webhooks/webhook-events-and-payloads */
export const EVENTS = [
  'push',
  'release',
  'workflow_run',
  'issue_comment',
  'commit_comment',
  'pull_request',
  'deployment_protection_rule',
  'deployment_review',
];

/**
 * What tells that people may do more or less than before. All but `repository` need "Members: read":
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#member
 */
export const ACCESS_EVENTS = ['member', 'membership', 'organization', 'team', 'repository'];

/** For teams in gates and in `MAINSHEET_ADMINS`, and for those events. */
export const MEMBERS: Permission = {
  name: 'members',
  least: 'read',
  why: 'to hear that people have come and gone',
};

/** GitHub asks for it before an App may get `workflow_run`. */
export const ACTIONS: Permission = {
  name: 'actions',
  least: 'read',
  why: 'to hear of workflow runs',
};

export const CONTENTS: Permission = {
  name: 'contents',
  least: 'read',
  why: 'to check out what is deployed',
};

const appAnswer = z.object({
  name: z.string(),
  permissions: z.record(z.string(), z.string()),
  events: z.array(z.string()),
  installations_count: z.number().optional(),
  html_url: z.string().optional(),
  slug: z.string().optional(),
  owner: z.object({ login: z.string(), type: z.string() }).nullish(),
});
const installationsAnswer = z.array(
  z.object({
    html_url: z.string(),
    account: z.object({ login: z.string() }).nullish(),
    permissions: z.record(z.string(), z.string()),
    suspended_at: z.string().nullish(),
  }),
);
const rateLimitAnswer = z.object({
  resources: z.object({ core: z.object({ limit: z.number(), remaining: z.number() }) }),
});

/** App tokens carry the time they were made at, and GitHub takes a minute's difference at most. */
const MAX_CLOCK_SKEW_MS = 60_000;

/**
 * Whether the App authenticates, may read code and has `permissions`, hears of `push` and of the `events` that specs need, and
 * is installed. Never throws.
 */
export async function checkApp(
  settings: OctokitSettings,
  app: { appId: string; privateKey: string },
  permissions: readonly Permission[],
  events: ReadonlySet<string>,
): Promise<GitHubCheck[]> {
  const client = createOctokit(settings, { authStrategy: createAppAuth, auth: app });
  /** Each of the first hundred. */
  async function checkInstallations(): Promise<GitHubCheck[]> {
    const { data } = await client.request('GET /app/installations', { per_page: 100 });
    return readAnswer(installationsAnswer, data, settings.apiUrl).flatMap((installation) => {
      const where = `the installation in ${installation.account?.login ?? 'an account'}`;
      const hint = `see ${installation.html_url}`;
      if (typeof installation.suspended_at === 'string') {
        return [{ ok: false, detail: `${where} is suspended`, hint }];
      }
      return [CONTENTS, ...permissions].flatMap(({ name, least }) => {
        const has = installation.permissions[name];
        if (has === least || has === 'write') return [];
        return [{ ok: false, detail: `${where} has not accepted ${name}: ${least}`, hint }];
      });
    });
  }

  try {
    const { data, headers } = await client.request('GET /app');
    const told = readAnswer(appAnswer, data, settings.apiUrl);
    const granted: Record<string, string | undefined> = told.permissions;
    return [
      { ok: true, detail: `authenticated as the GitHub App "${told.name}"` },
      ...checkSkew(headers.date, settings.clock),
      ...[CONTENTS, ...permissions].flatMap((permission) =>
        checkPermission(permission, granted, pageOf(told)),
      ),
      ...checkEvents(told.events, events, pageOf(told)),
      ...(told.installations_count === 0 ? checkInstalled(0) : await checkInstallations()),
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
  page: string,
): GitHubCheck[] {
  const has = granted[name];
  if (has === least || has === 'write') return [];
  return [
    {
      ok: false,
      detail: `the App has ${name}: ${has ?? 'no access'}, but needs ${least} ${why}`,
      hint: `add it under "Permissions & events"${page}, then accept it in each installation`,
    },
  ];
}

/** Where an App's permissions are changed: ` (https://…)`; empty where GitHub does not say enough. */
function pageOf({ html_url: url, slug, owner }: z.output<typeof appAnswer>): string {
  const origin = URL.parse(url ?? '')?.origin;
  if (origin === undefined || slug === undefined || !owner) return '';
  const place =
    owner.type === 'Organization' ? `organizations/${owner.login}/settings` : 'settings';
  return ` (${origin}/${place}/apps/${slug}/permissions)`;
}

/** What is written in a spec for events that are no triggers. */
const KEYS = new Map([
  ['issue_comment', 'comments: true'],
  ['commit_comment', 'comments: true'],
  ['pull_request', 'plan: true, or on: pull_request'],
  ['deployment_protection_rule', 'gates for environments of Actions'],
  ['deployment_review', 'gates for environments of Actions'],
]);

function checkEvents(
  events: readonly string[],
  needed: ReadonlySet<string>,
  page: string,
): GitHubCheck[] {
  const missing = EVENTS.filter((event) => !events.includes(event));
  const hint = `tick it under "Permissions & events"${page}`;
  return missing.map((event) => {
    const lacks = `the App does not subscribe to ${event}`;
    if (event === 'push') {
      return { ok: false, detail: `${lacks}, so that no push can be deployed`, hint };
    }
    const key = KEYS.get(event) ?? `on.${event}`;
    return needed.has(event)
      ? { ok: false, detail: `${lacks}, and a spec with ${key} needs it`, hint }
      : { ok: true, detail: `${lacks}; specs with ${key} need it` };
  });
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
