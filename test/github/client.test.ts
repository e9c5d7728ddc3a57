import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  APP,
  APP_KEY,
  connect,
  createTestClock,
  failureOf,
  isRetryable,
  TOKEN,
} from './support.ts';
import { until } from '../support/until.ts';
import { permissionsFor } from '../../src/callbacks/index.ts';
import { DEFAULT_FEEDBACK } from '../../src/model/deployment-spec.ts';
import { startStandIn, type Received, type Reply } from './stand-in.ts';

const INSTALLATION = 41;
const PERMISSIONS = permissionsFor(DEFAULT_FEEDBACK);
const NO_EVENTS = new Set<string>();

/** A GitHub with the App installed on acme's repositories. */
function appServer(
  more: (request: Received, count: number) => Reply | undefined = () => undefined,
) {
  let tokens = 0;
  return (request: Received, count: number): Reply => {
    const special = more(request, count);
    if (special !== undefined) return special;
    if (/^\/repos\/acme\/[^/]+\/installation$/.test(request.path)) {
      return { status: 200, body: { id: INSTALLATION, suspended_at: null } };
    }
    if (request.path.endsWith('/installation'))
      return { status: 404, body: { message: 'Not Found' } };
    if (request.path === `/app/installations/${INSTALLATION}/access_tokens`) {
      tokens += 1;
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      return {
        status: 201,
        body: { token: `ghs_${tokens}`, expires_at: expiresAt, permissions: {} },
      };
    }
    return { status: 200, body: {} };
  };
}

function routes(requests: Received[]): string[] {
  return requests.map(({ method, path }) => `${method} ${path}`);
}

test('an App looks a repository’s installation up once and uses one token for many requests', async (t) => {
  const server = await startStandIn(t, appServer());
  const { github } = connect(server.url, { auth: APP });
  const get = async (repo: string) =>
    (await github.octokit(`acme/${repo}`)).request('GET /repos/{owner}/{repo}', {
      owner: 'acme',
      repo,
    });
  await Promise.all([get('shop'), get('shop'), get('shop')]);
  await (await github.octokit('ACME/Shop')).request('GET /rate_limit');
  await get('other');
  assert.deepEqual(routes(server.requests).sort(), [
    'GET /rate_limit',
    'GET /repos/acme/other',
    'GET /repos/acme/other/installation',
    'GET /repos/acme/shop',
    'GET /repos/acme/shop',
    'GET /repos/acme/shop',
    'GET /repos/acme/shop/installation',
    'POST /app/installations/41/access_tokens',
  ]);
  const authorizations = server.requests.map(({ headers }) => headers.authorization ?? '');
  assert.equal(authorizations.filter((value) => value === 'token ghs_1').length, 5);
  assert.equal(authorizations.filter((value) => value.startsWith('bearer ey')).length, 3);
});

test('that the App is not installed is remembered for a minute, and said with what to do', async (t) => {
  const server = await startStandIn(t, appServer());
  const clock = createTestClock();
  const heard: [string, boolean][] = [];
  const onInstallation = (...said: [string, boolean]) => void heard.push(said);
  const { github } = connect(server.url, { auth: APP, clock, onInstallation });
  const ask = () => failureOf(github.octokit('other/shop'));
  const failure = await ask();
  assert.equal(failure.code, 'github-not-installed');
  assert.match(failure.hint ?? '', /install it/);
  await ask();
  assert.equal(server.requests.length, 1);
  clock.advance(61_000);
  await ask();
  assert.equal(server.requests.length, 2);
  await github.octokit('acme/shop');
  assert.deepEqual(heard, [
    ['other/shop', false],
    ['other/shop', false],
    ['acme/shop', true],
  ]);
});

test('a failed look-up is not remembered', async (t) => {
  const fails = (_: Received, count: number): Reply | undefined =>
    count <= 1 ? { status: 403, body: { message: 'no' } } : undefined;
  const server = await startStandIn(t, appServer(fails));
  const { github } = connect(server.url, { auth: APP });
  assert.equal((await failureOf(github.octokit('acme/shop'))).code, 'github-forbidden');
  await github.octokit('acme/shop');
});

test('a page in the place of JSON is no answer to anything, whatever was asked', async (t) => {
  for (const status of [200, 404, 502]) {
    const server = await startStandIn(t, () => ({
      status,
      headers: { 'content-type': 'text/html' },
      text: '<title>Unicorn!</title>',
    }));
    const { github } = connect(server.url, { auth: APP });
    const failure = await failureOf(github.octokit('acme/shop'));
    assert.ok(isRetryable(failure));
    assert.equal(failure.code, 'github-unreadable');
  }
});

test('a suspended installation is named as such', async (t) => {
  const server = await startStandIn(t, () => ({
    status: 200,
    body: { id: 1, suspended_at: '2026-01-01T00:00:00Z' },
  }));
  const { github } = connect(server.url, { auth: APP });
  assert.equal((await failureOf(github.octokit('acme/shop'))).code, 'github-suspended');
});

test('after forget the installation and its token are asked for again', async (t) => {
  const server = await startStandIn(t, appServer());
  const { github } = connect(server.url, { auth: APP });
  const authorization = async () => {
    await (await github.octokit('acme/shop')).request('GET /rate_limit');
    return server.requests.at(-1)?.headers.authorization;
  };
  assert.equal(await authorization(), 'token ghs_1');
  assert.equal(await authorization(), 'token ghs_1');
  github.forget('Acme/shop');
  assert.equal(await authorization(), 'token ghs_2');
});

test('git gets a token that can read one repository and nothing else, made once', async (t) => {
  const server = await startStandIn(t, appServer());
  const { github } = connect(server.url, { auth: APP });
  const expected = { username: 'x-access-token', password: 'ghs_1' };
  assert.deepEqual(await github.gitCredential('acme/shop'), expected);
  assert.deepEqual(await github.gitCredential('acme/shop'), expected);
  assert.equal(server.requests.length, 2);
  assert.deepEqual(server.requests[1]?.body, {
    repositories: ['shop'],
    permissions: { contents: 'read' },
  });
});

test('git gets a token for a repository that was renamed, by its number, which is kept', async (t) => {
  const server = await startStandIn(
    t,
    appServer(({ path, body }) => {
      const asked = body as { repositories?: string[] } | undefined;
      if (asked?.repositories?.[0] === 'shop') {
        return {
          status: 422,
          body: { message: 'There is at least one repository that does not exist' },
        };
      }
      if (path === '/repos/acme/shop')
        return { status: 301, headers: { location: '/repositories/7' } };
      if (path === '/repositories/7')
        return { status: 200, body: { id: 7, full_name: 'acme/store' } };
      return undefined;
    }),
    { validate: false },
  );
  const numbers = new Map<string, number>();
  const connected = () =>
    connect(server.url, {
      auth: APP,
      names: {
        idOf: async (name) => numbers.get(name),
        called: async (id, name, asked) => void numbers.set(name, id).set(asked, id),
      },
    }).github;
  assert.match((await connected().gitCredential('acme/shop'))?.password ?? '', /^ghs_/);
  assert.deepEqual(
    [...numbers],
    [
      ['acme/store', 7],
      ['acme/shop', 7],
    ],
  );

  server.requests.length = 0;
  assert.match((await connected().gitCredential('acme/shop'))?.password ?? '', /^ghs_/);
  const made = server.requests.filter(({ path }) => path.endsWith('/access_tokens'));
  assert.deepEqual(
    made.map(({ body }) => (body as { repository_ids?: number[] }).repository_ids),
    [[7]],
  );
  assert.equal(await connected().currentName('acme/shop'), 'acme/store');
});

test('git logs in with the token, or with nothing where there is nothing to log in with', async (t) => {
  const server = await startStandIn(t, appServer());
  const withToken = connect(server.url).github;
  assert.deepEqual(await withToken.gitCredential('a/b'), {
    username: 'x-access-token',
    password: TOKEN,
  });
  assert.equal(await connect(server.url, { auth: APP }).github.gitCredential('other/x'), undefined);
  assert.equal(
    await connect(server.url, { auth: undefined }).github.gitCredential('a/b'),
    undefined,
  );
});

test('without credentials, GitHub is off and says how to turn it on', async () => {
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const failure = await failureOf(github.octokit('a/b'));
  assert.equal(failure.code, 'github-not-configured');
  assert.equal(isRetryable(failure), false);
  assert.match(failure.hint ?? '', /GITHUB_TOKEN/);
  const [check] = await github.check(PERMISSIONS, NO_EVENTS);
  assert.equal(check?.ok, false);
});

test('a private key that is none is said to be none, without showing it', async () => {
  const privateKey =
    '-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END RSA PRIVATE KEY-----';
  const { github } = connect('http://127.0.0.1:1', { auth: { ...APP, privateKey } });
  const failure = await failureOf(github.octokit('a/b'));
  assert.equal(failure.code, 'github-app-key');
  const [check] = await github.check(PERMISSIONS, NO_EVENTS);
  assert.equal(check?.ok, false);
  assert.match(check?.hint ?? '', /PEM/);
  assert.doesNotMatch(JSON.stringify([check, failure.message, failure.cause]), /c2VjcmV0/);
});

test('a reading request is repeated once when GitHub fails, a changing one never', async (t) => {
  const server = await startStandIn(t, (_, count) =>
    count === 1 ? { status: 502, body: { message: 'oops' } } : { status: 500, body: {} },
  );
  const octokit = await connect(server.url).github.octokit('a/b');
  await assert.rejects(octokit.request('GET /rate_limit'));
  assert.equal(server.requests.length, 2);
  await assert.rejects(
    octokit.request('POST /repos/{owner}/{repo}/dispatches', {
      owner: 'a',
      repo: 'b',
      event_type: 'x',
    }),
  );
  assert.equal(server.requests.length, 3);
});

test('a log line holds method, route, status and duration, and never a value or a token', async (t) => {
  const server = await startStandIn(t, appServer());
  const { github, lines } = connect(server.url, { auth: APP });
  const octokit = await github.octokit('acme/shop');
  await octokit.request('GET /repos/{owner}/{repo}/deployments', {
    owner: 'acme',
    repo: 'shop',
    environment: 'hidden-value',
  });
  const log = lines.join('');
  assert.match(
    log,
    /"level":20.*"route":"GET \/repos\/\{owner\}\/\{repo\}\/deployments","status":200,"ms":\d/,
  );
  assert.doesNotMatch(log, /hidden-value|ghs_1|BEGIN|bearer|eyJ/);
});

test('GitHub’s redirects are followed with the same method on the same origin, and nowhere else', async (t) => {
  const elsewhere = await startStandIn(t, () => ({ status: 200, body: {} }), { validate: false });
  const server = await startStandIn(
    t,
    ({ path }) => {
      if (path.startsWith('/repos/a/old/')) {
        return { status: 301, headers: { location: '/repositories/7/dispatches' } };
      }
      if (path.startsWith('/repos/a/away/')) {
        return { status: 307, headers: { location: `${elsewhere.url}/x` } };
      }
      return path.startsWith('/repos/a/loop/')
        ? { status: 307, headers: { location: path } }
        : { status: 204 };
    },
    { validate: false },
  );
  const octokit = await connect(server.url).github.octokit('a/b');
  const dispatch = (repo: string) =>
    octokit.request('POST /repos/{owner}/{repo}/dispatches', { owner: 'a', repo, event_type: 'x' });
  await dispatch('old');
  assert.deepEqual(routes(server.requests), [
    'POST /repos/a/old/dispatches',
    'POST /repositories/7/dispatches',
  ]);
  assert.deepEqual(server.requests[1]?.body, { event_type: 'x' });
  await assert.rejects(dispatch('away'), /redirects to somewhere else/);
  assert.equal(elsewhere.requests.length, 0);
  await assert.rejects(dispatch('loop'), /redirects to somewhere else/);
});

test('doctor learns what the App may do and what it lacks, also of what specs need', async (t) => {
  const app = {
    name: 'Ship it',
    permissions: { contents: 'read', statuses: 'write' },
    events: ['push', 'release'],
    installations_count: 0,
  };
  const server = await startStandIn(t, () => ({ status: 200, body: app }));
  const checks = await connect(server.url, { auth: APP }).github.check(
    PERMISSIONS,
    new Set(['workflow_run', 'release']),
  );
  assert.deepEqual(
    checks.map(({ ok, detail }) => `${ok}: ${detail}`),
    [
      'true: authenticated as the GitHub App "Ship it"',
      'false: the App has deployments: no access, but needs write to record deployments',
      'false: the App does not subscribe to workflow_run, and a spec with on.workflow_run needs it',
      'true: the App does not subscribe to issue_comment; specs with comments: true need it',
      'true: the App does not subscribe to commit_comment; specs with comments: true need it',
      'true: the App does not subscribe to pull_request; specs with plan: true, or on: pull_request need it',
      'true: the App does not subscribe to deployment_protection_rule; specs with gates for environments of Actions need it',
      'true: the App does not subscribe to deployment_review; specs with gates for environments of Actions need it',
      'false: the App is not installed anywhere',
      'true: contents: read; repository_dispatch needs contents: write',
    ],
  );
  assert.ok(checks.every(({ ok, hint }) => ok || hint !== undefined));
  assert.ok(!JSON.stringify(checks).includes(APP_KEY));
});

test('doctor learns which installation has not accepted a permission, and where it is mended', async (t) => {
  const all = { contents: 'write', statuses: 'write', deployments: 'write' };
  const app = {
    name: 'Ship it',
    slug: 'ship-it',
    html_url: 'https://github.com/apps/ship-it',
    owner: { login: 'acme', type: 'Organization' },
    permissions: { contents: 'write', statuses: 'write' },
    events: ['release', 'workflow_run'],
    installations_count: 2,
  };
  const page = 'https://github.com/organizations/acme/settings/installations/1';
  const installations = [
    { html_url: page, account: { login: 'acme' }, permissions: { ...all, statuses: 'read' } },
    {
      html_url: page,
      account: { login: 'other' },
      permissions: all,
      suspended_at: '2026-01-02T03:04:05Z',
    },
  ];
  const server = await startStandIn(t, ({ path }) => ({
    status: 200,
    body: path.startsWith('/app/installations') ? installations : app,
  }));
  const checks = await connect(server.url, { auth: APP }).github.check(PERMISSIONS, NO_EVENTS);
  const settings = 'https://github.com/organizations/acme/settings/apps/ship-it/permissions';
  assert.deepEqual(
    checks.filter(({ ok }) => !ok).map(({ detail, hint }) => [detail, hint]),
    [
      [
        'the App has deployments: no access, but needs write to record deployments',
        `add it under "Permissions & events" (${settings}), then accept it in each installation`,
      ],
      [
        'the App does not subscribe to push, so that no push can be deployed',
        `tick it under "Permissions & events" (${settings})`,
      ],
      ['the installation in acme has not accepted statuses: write', `see ${page}`],
      ['the installation in other is suspended', `see ${page}`],
    ],
  );
});

test('doctor learns whether the token is taken, its scopes, and a wrong clock', async (t) => {
  const rates = { resources: { core: { limit: 5000, remaining: 4999 } } };
  const answers: Reply[] = [
    { status: 200, body: rates, headers: { 'x-oauth-scopes': 'repo:status, gist' } },
    { status: 200, body: rates, headers: { date: 'Thu, 01 Jan 2015 00:00:00 GMT' } },
    { status: 401, body: { message: 'Bad credentials' } },
    { status: 404, body: { message: 'Rate limiting is not enabled.' } },
    { status: 404, body: { message: 'No rate limit for white listed users' } },
  ];
  const server = await startStandIn(t, (_, count) => answers[count - 1] ?? 'reset');
  const { github } = connect(server.url);
  const said = async () =>
    (await github.check(PERMISSIONS, NO_EVENTS))
      .map(({ ok, detail }) => `${ok}: ${detail}`)
      .join('; ');
  assert.equal(
    await said(),
    'true: the token is accepted; 4999 of 5000 requests are left; false: the token lacks the scopes repo_deployment',
  );
  assert.match(await said(), /false: this machine's clock is \d+ s off GitHub's/);
  assert.match(
    await said(),
    /^false: could not use the token: GitHub answered 401: Bad credentials/,
  );
  assert.equal(await said(), 'true: the token is accepted; there are no rate limits');
  assert.equal(await said(), 'true: the token is accepted; there are no rate limits');
  assert.match(await said(), /^false: 127\.0\.0\.1:\d+ cannot be reached/);
});

test('an address whose answers are not those of the API is told, with where the API would be', async (t) => {
  const html = { 'content-type': 'text/html; charset=utf-8', 'x-github-request-id': 'B:1:2' };
  const answers: Reply[] = [
    // The pages of a GitHub Enterprise Server: one that is not there, the login that others lead to, and another program.
    { status: 404, body: '<h1>Page not found</h1>', headers: html },
    { status: 200, body: '<form action="/session">', headers: html },
    { status: 404, body: { error: 'Not Found', path: '/rate_limit' } },
    { status: 200, body: { status: 'up' } },
    { status: 204 },
  ];
  for (const auth of [{ kind: 'token', token: TOKEN } as const, APP]) {
    for (const answer of answers) {
      const server = await startStandIn(t, () => answer, { validate: false });
      const [check, ...more] = await connect(server.url, { auth }).github.check(
        PERMISSIONS,
        NO_EVENTS,
      );
      assert.deepEqual([check?.ok, more], [false, []]);
      assert.equal(check?.detail, `${server.url} is not GitHub's API`);
      assert.equal(
        check?.hint,
        `set GITHUB_API_URL to where it is, on GitHub Enterprise Server ${server.url}/api/v3`,
      );
      const [below] = await connect(`${server.url}/api/v3`, { auth }).github.check(
        PERMISSIONS,
        NO_EVENTS,
      );
      assert.equal(below?.ok, false);
      assert.equal(
        below?.hint,
        'see that GITHUB_API_URL, or GITHUB_SERVER_URL, names the right host',
      );
    }
  }
});

test('an App that GitHub does not know is told from an address that is not the API', async (t) => {
  const server = await startStandIn(t, () => ({
    status: 404,
    headers: { 'x-github-request-id': 'B:1:2' },
    body: { message: 'Integration not found' },
  }));
  const [check] = await connect(server.url, { auth: APP }).github.check(PERMISSIONS, NO_EVENTS);
  assert.equal(check?.ok, false);
  assert.match(check?.detail ?? '', /GitHub answered 404: Integration not found/);
  assert.match(check?.hint ?? '', /GITHUB_APP_ID/);
});

test('a limit is reported at once, not waited for, also where requests are spaced', async (t) => {
  const server = await startStandIn(t, () => ({
    status: 403,
    headers: { 'retry-after': '600' },
    body: { message: 'You have exceeded a secondary rate limit' },
  }));
  // Leads to this machine too, but is no loopback name, so that the requests are throttled as a real GitHub's are.
  const url = server.url.replace('127.0.0.1', '0.0.0.0');
  const octokit = await connect(url).github.octokit('a/b');
  await assert.rejects(octokit.request('GET /rate_limit'), /secondary rate limit/);
  assert.equal(server.requests.length, 1);
});

test('changing requests to a real GitHub are a second apart, those to a stand-in on loopback are not', async (t) => {
  const server = await startStandIn(t, () => ({ status: 204 }));
  const twice = async (url: string): Promise<number> => {
    const octokit = await connect(url).github.octokit('a/b');
    const startedAt = performance.now();
    for (let count = 0; count < 2; count += 1) {
      const route = 'POST /repos/{owner}/{repo}/dispatches';
      await octokit.request(route, { owner: 'a', repo: 'b', event_type: 'x' });
    }
    return performance.now() - startedAt;
  };
  // A machine that is busy may take longer now and then.
  await until('two are sent at once', async () => (await twice(server.url)) < 900);
  assert.ok((await twice(server.url.replace('127.0.0.1', '0.0.0.0'))) > 900);
});

test('one failed request does not make the next one wait longer', async (t) => {
  const answers: Reply[] = [{ status: 404, body: {} }, 'reset', { status: 200, body: {} }];
  const server = await startStandIn(t, (_, count) => answers[(count - 1) % 3] ?? 'reset');
  const octokit = await connect(server.url).github.octokit('a/b');
  await until('the plugin pauses for one second and not for four', async () => {
    await assert.rejects(octokit.request('GET /rate_limit'));
    const startedAt = performance.now();
    await octokit.request('GET /rate_limit');
    return performance.now() - startedAt < 3000;
  });
});
