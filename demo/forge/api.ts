import type { IncomingHttpHeaders } from 'node:http';
import { createEmulator } from 'emulate';
import { isJsonObject, objectAt, parseJson, textAt, type Json } from '../json.ts';
import { findOperation } from '../openapi-document.ts';
import type { Credentials } from './credentials.ts';
import { createListChecks } from './checks.ts';
import { createComments } from './comments.ts';
import { createDeployments } from './deployments.ts';
import { createDispatches } from './dispatches.ts';
import { toSimulatorHandlers, type ForgeFacts, type OperationHandler } from './operations.ts';
import { startExamples, startSimulator, type Simulator } from './simulator.ts';
import { createReviews } from './reviews.ts';
import { createStatuses } from './statuses.ts';

interface ApiRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** What GitHub's description has against it. */
  problems: readonly string[];
}

interface ApiAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Who answered; an `example` from GitHub's description says nothing about the forge's repositories. */
  by: 'gate' | 'emulate' | 'simulacrum' | 'example';
}

export interface GitHubApi {
  answer: (request: ApiRequest) => Promise<ApiAnswer>;
  /** Reads on the API's side by HTTP, past the journal and the faults. */
  read: (path: string) => Promise<Json>;
  /** The App's private key (PEM); undefined without an App. */
  privateKey: string | undefined;
  close: () => Promise<void>;
}

export interface AppSeed {
  id: number;
  slug: string;
  /** Installations by owner. */
  installations: ReadonlyMap<string, number>;
}

const PERMISSIONS = {
  actions: 'read',
  checks: 'write',
  contents: 'write',
  deployments: 'write',
  metadata: 'read',
  pull_requests: 'write',
  statuses: 'write',
};
/** Of these emulate knows all that there is: what it does not find is not there. */
const WHOLE = new Set(['repos/get-collaborator-permission-level', 'checks/get']);
const PASSED_ON = ['authorization', 'accept', 'content-type', 'x-github-api-version', 'user-agent'];

/**
 * A GitHub API that we did not write: emulate answers first, and what it does not have (404) simulacrum answers, with
 * handlers of ours that keep statuses, deployments and dispatches. Before both stands a gate with GitHub's answers to
 * bad or missing credentials.
 */
export async function createGitHubApi(options: {
  facts: ForgeFacts;
  repositories: readonly string[];
  credentials: Credentials;
  app: AppSeed | undefined;
  /** Handlers that answer before emulate, which keeps a webhook of its own for each repository. */
  hooks: Record<string, OperationHandler>;
}): Promise<GitHubApi> {
  const { facts, repositories, credentials, app, hooks } = options;
  const statuses = createStatuses(facts);
  const dispatches = createDispatches();
  const reviews = createReviews();
  const listChecks = createListChecks();
  const handlers = {
    ...statuses.handlers,
    ...createDeployments(facts, statuses),
    ...createComments(facts),
    ...dispatches.handlers,
    ...reviews.handlers,
    ...hooks,
  };
  const limitless = createLimitless(credentials.token);
  const [emulator, simulator] = await Promise.all([
    createEmulator({ service: 'github', port: 0, seed: seed(repositories, limitless.tokens, app) }),
    startSimulator(toSimulatorHandlers(facts, handlers), {
      dispatches: dispatches.received,
      reviews: reviews.received,
    }),
  ]);
  // It names itself "localhost", which may mean ::1, but listens on IPv4.
  const emulatorUrl = `http://127.0.0.1:${new URL(emulator.url).port}`;
  let examples: Promise<Simulator> | undefined;
  /** Web tokens of the App whose signature emulate has verified. */
  const signed = new Set<string>();

  /** What the App was answered, by path: emulate counts what it asks for with all its web tokens together. */
  const answers = new Map<string, ApiAnswer>();
  let asked = 0;

  async function emulated(request: ApiRequest): Promise<ApiAnswer> {
    const isOfApp = request.method === 'GET' && signed.has(request.headers.authorization ?? '');
    if (isOfApp) asked += 1;
    const known = isOfApp && asked > REQUESTS_OF_APP ? answers.get(request.path) : undefined;
    if (known !== undefined) return known;
    const answer = await forward(emulatorUrl, limitless.passedOn(request), 'emulate');
    const rewritten = (text: string) => text.replaceAll(emulator.url, facts.url);
    const { link } = answer.headers;
    const given = {
      ...answer,
      headers: { ...answer.headers, ...(link === undefined ? {} : { link: rewritten(link) }) },
      body: rewritten(answer.body),
    };
    if (isOfApp && answer.status === 200) answers.set(request.path, given);
    return given;
  }

  /** Asked once about each: emulate refuses all of them together after 5,000 in an hour. */
  async function isSigned(check: ApiRequest): Promise<boolean> {
    const token = check.headers.authorization ?? '';
    if (!signed.has(token) && (await emulated(check)).status === 200) signed.add(token);
    return signed.has(token);
  }

  /** https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api */
  async function refuse(request: ApiRequest, pathname: string): Promise<ApiAnswer | undefined> {
    const caller = credentials.identify(request.headers);
    if (caller === 'unknown') return refusal('Bad credentials');
    const isForApps = /^\/app(?:\/|$)|^\/(?:repos\/[^/]+|orgs|users)\/[^/]+\/installation$/;
    if (isForApps.test(pathname) || caller === 'app') {
      // Emulate verifies the signature, but only on routes below /app.
      const check = { ...request, method: 'GET', path: '/app', body: Buffer.alloc(0) };
      const isApp = caller === 'app' && (await isSigned(check));
      const ok = isApp && isForApps.test(pathname);
      return ok ? undefined : refusal('A JSON web token could not be decoded');
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    return isRead || caller === 'token' ? undefined : refusal('Requires authentication');
  }

  /** GitHub's example of one, with the commit that its ref leads to. */
  async function pullRequest(pathname: string, example: ApiAnswer): Promise<ApiAnswer> {
    const [, repository = '', number = ''] = /^\/repos\/(.+)\/pulls\/(\d+)$/.exec(pathname) ?? [];
    const sha = await facts.resolveCommit(facts.spell(repository), `refs/pull/${number}/head`);
    if (sha === undefined) return errorAnswer(404, { message: 'Not Found' });
    const shown = parseJson(example.body);
    if (!isJsonObject(shown)) return example;
    const pull = {
      ...shown,
      number: Number(number),
      merged: false,
      merge_commit_sha: null,
      head: { ...objectAt(shown, 'head'), sha },
    };
    return { ...example, body: JSON.stringify(pull) };
  }

  return {
    privateKey: emulator.generatedSecrets.find((each) => each.kind === 'github.app_private_key')
      ?.value,
    async answer(request) {
      const { pathname } = new URL(request.path, facts.url);
      const refused = await refuse(request, pathname);
      if (refused !== undefined) return refused;

      const operation = findOperation(request.method, pathname)?.operation.id;
      const isKnown = !isUnknownRepository(pathname, repositories);
      if (operation !== undefined && operation in hooks && isKnown) {
        return request.problems.length > 0
          ? invalid(request.problems)
          : forward(simulator.url, request, 'simulacrum');
      }
      const first = await emulated(request);
      if (first.status === 201 && pathname.endsWith('/access_tokens')) {
        const issued = parseJson(first.body);
        if (isJsonObject(issued)) credentials.accept(textAt(issued, 'token'));
      }
      if (first.status === 404 && isKnown && operation === 'checks/list-for-ref') {
        const path = request.path.replace(/\/commits\/.*$/, '/check-runs/');
        const read = (id: number) => emulated({ ...request, path: `${path}${id}` });
        const list = await listChecks(read, new URL(request.path, facts.url));
        return { ...(await read(1)), status: 200, body: JSON.stringify(list) };
      }
      const isWhole = operation === undefined || WHOLE.has(operation);
      if (first.status !== 404 || isWhole || !isKnown) return first;
      if (request.problems.length > 0) return invalid(request.problems);
      if (operation in handlers) return forward(simulator.url, request, 'simulacrum');
      examples ??= startExamples();
      const example = await forward((await examples).url, request, 'example');
      return operation === 'pulls/get' ? await pullRequest(pathname, example) : example;
    },
    async read(path) {
      const response = await fetch(`${simulator.url}${path}`);
      if (!response.ok) throw new Error(`the forge answers ${response.status} to GET ${path}`);
      return parseJson(await response.text());
    },
    async close() {
      await Promise.all([
        emulator.close(),
        simulator.close(),
        examples?.then((started) => started.close()),
      ]);
    },
  };
}

/** Requests that are made with one of emulate's tokens, which refuses a token after 5,000 in an hour. */
const REQUESTS_PER_TOKEN = 4000;
const TOKENS = 100;
/** Requests of an App that emulate is passed in any case: what they are answered changes with what a test does. */
const REQUESTS_OF_APP = 2000;

/**
 * A soak asks more often than GitHub's primary limit allows. Here the personal token and an App's meet limits only where a test
 * orders them (`faults`): to emulate they are now one token and now another.
 */
function createLimitless(token: string) {
  const tokens = [token, ...Array.from({ length: TOKENS - 1 }, (_, index) => `${token}${index}`)];
  let requests = 0;
  /** By the token of an App. */
  const made = new Map<string, number>();
  return {
    tokens,
    passedOn(request: ApiRequest): ApiRequest {
      const { authorization } = request.headers;
      const used = authorization?.split(' ', 2)[1] ?? '';
      if (used !== token) {
        const before = made.get(used) ?? 0;
        // What an App may do is emulate's to say, as long as it can.
        if (used.startsWith('ghs_')) made.set(used, before + 1);
        if (before < REQUESTS_PER_TOKEN) return request;
      }
      requests += 1;
      const present = tokens[Math.floor(requests / REQUESTS_PER_TOKEN) % TOKENS];
      return { ...request, headers: { ...request.headers, authorization: `Bearer ${present}` } };
    },
  };
}

function seed(
  repositories: readonly string[],
  tokens: readonly string[],
  app: AppSeed | undefined,
) {
  const owners = [...new Set(repositories.map((name) => name.split('/')[0] ?? ''))];
  return {
    tokens: Object.fromEntries(tokens.map((token) => [token, { login: 'demo', scopes: ['repo'] }])),
    github: {
      users: [{ login: 'demo' }],
      orgs: owners.map((login) => ({ login, members: [{ login: 'demo', role: 'admin' }] })),
      // Emulate's own idea of git stays empty: the commits are in the real repositories.
      repos: repositories.map((full) => {
        const [owner, name] = full.split('/');
        return { owner, name, auto_init: false };
      }),
      apps: app === undefined ? [] : [appSeed(app)],
    },
  };
}

function appSeed(app: AppSeed) {
  const events = ['push', 'release', 'workflow_run'];
  return {
    app_id: app.id,
    slug: app.slug,
    name: 'Mainsheet',
    permissions: PERMISSIONS,
    events,
    installations: [...app.installations].map(([account, installation_id]) => {
      return { installation_id, account, repository_selection: 'all' };
    }),
  };
}

async function forward(base: string, request: ApiRequest, by: ApiAnswer['by']): Promise<ApiAnswer> {
  const headers = new Headers();
  for (const name of PASSED_ON) {
    const value = request.headers[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  const response = await fetch(base + request.path, {
    method: request.method,
    headers,
    redirect: 'manual',
    ...(request.body.length === 0 ? {} : { body: new Uint8Array(request.body) }),
  });
  const kept = new Set(['content-type', 'link', 'location', 'etag']);
  return {
    status: response.status,
    headers: Object.fromEntries(
      [...response.headers].filter(([name]) => kept.has(name) || name.startsWith('x-')),
    ),
    body: await response.text(),
    by,
  };
}

function isUnknownRepository(pathname: string, repositories: readonly string[]): boolean {
  const asked = /^\/repos\/([^/]+\/[^/]+)/.exec(pathname)?.[1]?.toLowerCase();
  return asked !== undefined && !repositories.some((name) => name.toLowerCase() === asked);
}

function refusal(message: string): ApiAnswer {
  return errorAnswer(401, { message, documentation_url: 'https://docs.github.com/rest' });
}

/** Stricter than GitHub, which ignores properties it does not know. */
function invalid(problems: readonly string[]): ApiAnswer {
  const errors = problems.map((message) => ({ code: 'custom', message }));
  return errorAnswer(422, { message: 'Validation Failed', errors });
}

function errorAnswer(status: number, body: Json): ApiAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
    by: 'gate',
  };
}
