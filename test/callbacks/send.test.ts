import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { inspect } from 'node:util';
import { RequestError } from '@octokit/request-error';
import { RetryableError } from '../../src/lib/errors.ts';
import type { GitHubDeps } from '../../src/github/client.ts';
import { createSender } from '../../src/callbacks/send.ts';
import type { AnyMessage } from '../../src/callbacks/index.ts';
import { startStandIn, type Received, type Reply } from '../github/stand-in.ts';
import { APP, connect, createTestClock, failureOf, isRetryable, TOKEN } from '../github/support.ts';

const SHA = 'a'.repeat(40);
const NOW = Date.parse('2026-05-01T12:00:00Z');

const STATUS: AnyMessage = {
  kind: 'status',
  repository: 'acme/shop',
  sha: SHA,
  context: 'mainsheet/shop',
  state: 'pending',
  description: 'Queued',
  targetUrl: 'https://m.example/runs/01',
};
const DEPLOYMENT: AnyMessage = {
  kind: 'deployment',
  repository: 'acme/shop',
  runId: '01run',
  spec: 'shop',
  sha: SHA,
  environment: 'production',
  production: true,
  transient: false,
  description: 'Mainsheet: shop',
};
const DEPLOYMENT_STATUS: AnyMessage = {
  kind: 'deployment-status',
  repository: 'acme/shop',
  runId: '01run',
  environment: 'production',
  deploymentId: 7,
  state: 'in_progress',
  description: 'Deploying',
  logUrl: 'https://m.example/runs/01',
  environmentUrl: 'https://shop.example/',
};
const DISPATCH: AnyMessage = {
  kind: 'dispatch',
  repository: 'acme/hub',
  eventType: 'component-updated',
  payload: { component: 'shop', password: 'hunter2' },
};

const STATES: readonly AnyMessage[] = [STATUS, DEPLOYMENT_STATUS, DEPLOYMENT];

function sender(url: string, more: Partial<GitHubDeps> = {}) {
  const clock = createTestClock(NOW);
  const { github } = connect(url, { clock, ...more });
  const outbound = createSender({ github, clock });
  return (
    message: AnyMessage,
    { retried = false, ageMs = 0, signal = new AbortController().signal } = {},
  ) => outbound.send(message, { retried, ageMs, signal });
}

/** What a status is answered with, as an error. */
async function refusedWith(t: Parameters<typeof startStandIn>[0], reply: Reply, options = {}) {
  const server = await startStandIn(t, () => reply);
  const failure = await failureOf(sender(server.url)(STATUS, options));
  assert.equal(server.requests.length, 1, 'the outbox repeats, not the client');
  return failure;
}

test('a status, a deployment status and a dispatch are what GitHub expects', async (t) => {
  const server = await startStandIn(t, ({ path }) => ({
    status: path.endsWith('/dispatches') ? 204 : 201,
    ...(path.endsWith('/dispatches') ? {} : { body: { id: 1 } }),
  }));
  const send = sender(server.url);
  const made = { answered: { status: 201, id: '1' } };
  assert.deepEqual(await send(STATUS), made);
  assert.deepEqual(
    await send({ ...STATUS, targetUrl: undefined, description: 'x'.repeat(200) }),
    made,
  );
  assert.deepEqual(await send(DEPLOYMENT_STATUS), made);
  assert.deepEqual(await send(DISPATCH), { answered: { status: 204 } });
  assert.deepEqual(
    server.requests.map(({ method, path, body }) => [`${method} ${path}`, body]),
    [
      [
        `POST /repos/acme/shop/statuses/${SHA}`,
        {
          state: 'pending',
          context: 'mainsheet/shop',
          description: 'Queued',
          target_url: 'https://m.example/runs/01',
        },
      ],
      [
        `POST /repos/acme/shop/statuses/${SHA}`,
        { state: 'pending', context: 'mainsheet/shop', description: `${'x'.repeat(139)}…` },
      ],
      [
        'POST /repos/acme/shop/deployments/7/statuses',
        {
          state: 'in_progress',
          description: 'Deploying',
          auto_inactive: false,
          log_url: 'https://m.example/runs/01',
          environment_url: 'https://shop.example/',
        },
      ],
      [
        'POST /repos/acme/hub/dispatches',
        {
          event_type: 'component-updated',
          client_payload: { component: 'shop', password: 'hunter2' },
        },
      ],
    ],
  );
  const [first] = server.requests;
  assert.equal(first?.headers.authorization, `token ${TOKEN}`);
  assert.equal(first?.headers['x-github-api-version'], '2022-11-28');
});

test('a deployment is created without a look at the earlier ones, and its number comes back', async (t) => {
  const server = await startStandIn(t, () => ({ status: 201, body: { id: 42 } }));
  const sent = await sender(server.url)(DEPLOYMENT);
  assert.deepEqual(sent, { id: 42, answered: { status: 201, id: '42' } });
  assert.equal(server.requests.length, 1);
  assert.deepEqual(server.requests[0]?.body, {
    ref: SHA,
    task: 'deploy',
    auto_merge: false,
    required_contexts: [],
    environment: 'production',
    description: 'Mainsheet: shop',
    transient_environment: false,
    production_environment: true,
    payload: { mainsheet: { run: '01run', spec: 'shop' } },
  });
});

test('what the spec says of its environment goes with the Deployment', async (t) => {
  const server = await startStandIn(t, () => ({ status: 201, body: { id: 42 } }));
  await sender(server.url)({
    ...DEPLOYMENT,
    environment: 'preview-7',
    production: true,
    transient: true,
  });
  assert.partialDeepStrictEqual(server.requests[0]?.body, {
    environment: 'preview-7',
    production_environment: true,
    transient_environment: true,
  });
});

test('in doubt, the deployment that names the run is taken instead of making a second one', async (t) => {
  const ours = { mainsheet: { run: '01run', spec: 'shop' } };
  for (const payload of [ours, JSON.stringify(ours)]) {
    const others = [
      { id: 1, payload: '' },
      { id: 2, payload: null },
      { id: 3, payload: '{' },
    ];
    const another = { id: 4, payload: { mainsheet: { run: '02run' } } };
    const server = await startStandIn(t, () => ({
      status: 200,
      body: [...others, another, { id: 5, payload }, { id: 6, payload: {} }],
    }));
    const sent = await sender(server.url)(DEPLOYMENT, { retried: true });
    assert.deepEqual(sent, { id: 5, answered: { id: '5' } });
    assert.deepEqual(
      server.requests.map(({ path }) => path),
      [`/repos/acme/shop/deployments?sha=${SHA}&environment=production&per_page=100&page=1`],
    );
  }
});

test('in doubt, all pages are looked through, but only so many, and then it is created', async (t) => {
  const page = Array.from({ length: 100 }, (_, id) => ({ id: id + 1, payload: {} }));
  const pagesSeen = async (last: number): Promise<string[]> => {
    const server = await startStandIn(t, ({ method, path }) => {
      if (method === 'POST') return { status: 201, body: { id: 999 } };
      return { status: 200, body: path.endsWith(`page=${last}`) ? [] : page };
    });
    assert.equal((await sender(server.url)(DEPLOYMENT, { retried: true })).id, 999);
    return server.requests.map(({ method }) => method);
  };
  assert.deepEqual(await pagesSeen(2), ['GET', 'GET', 'POST']);
  assert.deepEqual(await pagesSeen(100), ['GET', 'GET', 'GET', 'GET', 'GET', 'POST']);
});

test('a deployment whose answer was lost is retryable, and the next try finds it', async (t) => {
  const made: unknown[] = [];
  const server = await startStandIn(t, (request: Received) => {
    if (request.method === 'GET') return { status: 200, body: made };
    made.push({ id: 8, payload: { mainsheet: { run: '01run' } } });
    return 'half';
  });
  const send = sender(server.url);
  const failure = await failureOf(send(DEPLOYMENT));
  assert.ok(isRetryable(failure));
  assert.equal((await send(DEPLOYMENT, { retried: true })).id, 8);
  assert.equal(made.length, 1);
});

test('GitHub’s own failures are retryable, and not repeated at once', async (t) => {
  for (const status of [500, 502, 503, 504, 408]) {
    const failure = await refusedWith(t, { status, body: { message: 'oops' } });
    assert.ok(isRetryable(failure));
    assert.equal(failure.code, 'github-unavailable');
  }
});

test('rate limits are retryable after the time that GitHub names', async (t) => {
  const pauses: [number, Record<string, string>, string, number][] = [
    [403, { 'retry-after': '17' }, 'You have exceeded a secondary rate limit', 17_000],
    [429, { 'retry-after': '3' }, '', 3000],
    [429, { 'retry-after': 'Fri, 01 May 2026 12:00:30 GMT' }, '', 30_000],
    [429, { 'retry-after': 'soon' }, '', 60_000],
    [429, { 'retry-after': '999999' }, '', 3_600_000],
    [
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 + 90) },
      'API rate limit exceeded',
      91_000,
    ],
    [403, {}, 'You have exceeded a secondary rate limit.', 60_000],
  ];
  for (const [status, headers, message, pause] of pauses) {
    const failure = await refusedWith(t, { status, headers, body: { message } });
    assert.ok(failure instanceof RetryableError);
    assert.equal(failure.code, 'github-rate-limited');
    assert.equal(failure.retryAfterMs, pause);
  }
});

test('a refusal is terminal and carries GitHub’s message and errors', async (t) => {
  const failure = await refusedWith(t, {
    status: 422,
    body: { message: 'Validation Failed', errors: [{ field: 'state', code: 'invalid' }] },
  });
  assert.equal(isRetryable(failure), false);
  assert.equal(failure.code, 'github-invalid');
  assert.equal(
    failure.message,
    'could not set the status of acme/shop: GitHub answered 422: Validation Failed: {"field":"state","code":"invalid"}',
  );
  const forbidden = await refusedWith(t, {
    status: 403,
    body: { message: 'Resource not accessible by integration' },
  });
  assert.equal(forbidden.code, 'github-forbidden');
  assert.match(forbidden.hint ?? '', /read and write/);
  assert.equal((await refusedWith(t, { status: 409, body: {} })).code, 'github-refused');
});

const MINUTE = 60_000;

test('what GitHub does not know yet is asked about again for ten minutes, and given up after them', async (t) => {
  const replies: Reply[] = [
    { status: 404, body: { message: 'Not Found' } },
    { status: 422, body: { message: `No commit found for SHA: ${SHA}` } },
    { status: 422, body: { message: `No ref found for: ${SHA}` } },
  ];
  for (const reply of replies) {
    for (const message of STATES) {
      const server = await startStandIn(t, ({ method }) =>
        method === 'GET' ? { status: 200, body: [] } : reply,
      );
      const failure = (options: { retried: boolean; ageMs: number }) =>
        failureOf(sender(server.url)(message, options));
      const late = { retried: true, ageMs: 11 * MINUTE };
      assert.ok(isRetryable(await failure({ retried: true, ageMs: 9 * MINUTE })));
      assert.ok(isRetryable(await failure({ ...late, retried: false })), 'its first try');
      assert.equal(isRetryable(await failure(late)), false);
    }
  }
  const server = await startStandIn(t, () => ({ status: 404, body: { message: 'Not Found' } }));
  const failure = await failureOf(sender(server.url)(DISPATCH));
  assert.equal(isRetryable(failure), false);
  assert.equal(failure.code, 'github-not-found');
});

const PAGE = '<!DOCTYPE html><title>Unicorn!</title>';
const HTML = { 'content-type': 'text/html; charset=utf-8' };
const DOCS = 'https://docs.github.com/rest';

for (const [what, reply] of [
  [
    'abuse detection by its page',
    {
      status: 403,
      body: { message: 'Slow.', documentation_url: `${DOCS}/x#abuse-rate-limits` },
    },
  ],
  [
    'a secondary limit by its page',
    {
      status: 422,
      body: { message: 'Slow.', documentation_url: `${DOCS}/x#secondary-rate-limits` },
    },
  ],
  [
    'abuse among the errors',
    { status: 422, body: { message: 'Validation Failed', errors: ['x', { code: 'abuse' }] } },
  ],
  [
    'a list of allowed addresses',
    {
      status: 403,
      body: {
        message: 'The `acme` organization has an IP allow list enabled',
        documentation_url: `${DOCS}/commits/statuses#create-a-commit-status`,
      },
    },
  ],
  ['502 with a page', { status: 502, headers: HTML, text: PAGE }],
  ['403 with a page', { status: 403, headers: HTML, text: PAGE }],
  ['404 with a page', { status: 404, headers: HTML, text: PAGE }],
  ['404 with nothing', { status: 404, text: '' }],
  ['400 with nothing', { status: 400, text: '' }],
] satisfies [string, Reply][]) {
  test(`a refusal that passes is retryable after a minute or more: ${what}`, async (t) => {
    const failure = await refusedWith(t, reply, { retried: true, ageMs: 60 * MINUTE });
    assert.ok(failure instanceof RetryableError, failure.message);
    assert.ok((failure.retryAfterMs ?? 0) >= MINUTE);
    assert.doesNotMatch(failure.message, /<title>/);
  });
}

test('only the JSON that belongs to it is an answer: a page or another program’s JSON is asked about again', async (t) => {
  const replies: Reply[] = [
    { status: 200, headers: HTML, text: PAGE },
    { status: 200, text: PAGE },
    { status: 200, body: { status: 'ok' } },
    { status: 200, body: { id: 'x' } },
    { status: 200, body: [] },
    { status: 204 },
  ];
  for (const message of [...STATES, DISPATCH]) {
    for (const reply of replies) {
      if (message === DISPATCH && typeof reply === 'object' && reply.status === 204) continue;
      const server = await startStandIn(t, () => reply);
      const failure = await failureOf(sender(server.url)(message));
      assert.ok(failure instanceof RetryableError, `${message.kind} ${JSON.stringify(reply)}`);
      assert.equal(failure.code, 'github-unreadable');
      assert.ok((failure.retryAfterMs ?? 0) >= MINUTE);
    }
  }
  // Nor is a page a list of Deployments in which ours is missing.
  const server = await startStandIn(t, () => ({ status: 200, headers: HTML, text: PAGE }));
  const failure = await failureOf(sender(server.url)(DEPLOYMENT, { retried: true }));
  assert.equal(failure.code, 'github-unreadable');
  assert.ok(server.requests.every(({ method }) => method === 'GET'));
});

test('what people wrote reaches GitHub as its fields take it', async (t) => {
  const server = await startStandIn(t, ({ path }) =>
    path.endsWith('/dispatches') ? { status: 204 } : { status: 201, body: { id: 1 } },
  );
  const send = sender(server.url);
  const hostile = '🚢 Ship\u0000 it\n\u{d800}→ é';
  const written = '□ Ship it \ufffd→ é';
  await send({ ...STATUS, description: hostile, targetUrl: 'javascript:alert(1)' });
  await send({ ...DEPLOYMENT, description: hostile });
  await send({
    ...DEPLOYMENT_STATUS,
    description: '🚢'.repeat(200),
    logUrl: '/runs/1',
    environmentUrl: 'file:///etc/passwd',
  });
  await send({
    ...DISPATCH,
    eventType: 'x\u{d800}',
    payload: { text: ['🚢\u{dc00}'], ['__proto__']: 'own' },
  });
  const bodies = server.requests.map(({ body }) => body as Record<string, unknown>);
  assert.deepEqual(bodies[0], {
    state: 'pending',
    context: 'mainsheet/shop',
    description: written,
  });
  assert.equal(bodies[1]?.['description'], written);
  assert.deepEqual(bodies[2], {
    state: 'in_progress',
    auto_inactive: false,
    description: `${'□'.repeat(139)}…`,
  });
  assert.equal(
    server.requests[3]?.text,
    '{"event_type":"x\ufffd","client_payload":{"text":["🚢\ufffd"],"__proto__":"own"}}',
  );
});

test('an expired token is dropped, so that the next try has a new one', async (t) => {
  // Octokit itself repeats for five seconds after a token was made; this one is older by then.
  mock.timers.enable({ apis: ['Date'], now: NOW });
  t.after(() => mock.timers.reset());
  let tokens = 0;
  let expired = false;
  const server = await startStandIn(t, ({ path, headers }) => {
    if (path.endsWith('/installation')) return { status: 200, body: { id: 71 } };
    if (path.endsWith('/access_tokens')) {
      tokens += 1;
      return { status: 201, body: { token: `ghs_${tokens}`, expires_at: 'x', permissions: {} } };
    }
    return expired && headers.authorization === 'token ghs_1'
      ? { status: 401, body: { message: 'Bad credentials' } }
      : { status: 201, body: { id: 1 } };
  });
  const send = sender(server.url, { auth: APP });
  await send(STATUS);
  expired = true;
  mock.timers.tick(10_000);
  const failure = await failureOf(send(STATUS));
  assert.ok(isRetryable(failure));
  assert.equal(failure.code, 'github-unauthorized');
  assert.doesNotMatch(inspect(failure, { depth: 10 }), /ghs_1/);
  await send(STATUS);
  assert.equal(server.requests.at(-1)?.headers.authorization, 'token ghs_2');
});

test('an App that was installed again is found under its new number', async (t) => {
  let installation = 81;
  const server = await startStandIn(t, ({ path }) => {
    if (path.endsWith('/installation')) return { status: 200, body: { id: installation } };
    if (path === '/app/installations/82/access_tokens') {
      return { status: 201, body: { token: 'ghs_new', expires_at: 'x', permissions: {} } };
    }
    if (path.endsWith('/access_tokens')) return { status: 404, body: { message: 'Not Found' } };
    return { status: 201, body: { id: 1 } };
  });
  const send = sender(server.url, { auth: APP });
  const failure = await failureOf(send(STATUS, { retried: true }));
  assert.ok(isRetryable(failure));
  installation = 82;
  assert.deepEqual(await send(STATUS, { retried: true }), { answered: { status: 201, id: '1' } });
});

test('of what GitHub made its number and page are kept, and only what is an address of https', async (t) => {
  const page = 'https://github.example/acme/shop/commit/1#status';
  const urls: [Record<string, unknown>, string | undefined][] = [
    [{ html_url: page, url: 'https://api.example/1' }, page],
    [{ url: 'https://api.example/1' }, 'https://api.example/1'],
    [{ html_url: 'https://a:b@api.example/1?token=secret' }, 'https://api.example/1'],
    [{ html_url: 'javascript:alert(1)', url: 'http://api.example/1' }, undefined],
    [{ url: `https://api.example/${'x'.repeat(500)}` }, undefined],
    [{ url: { href: 'https://api.example/1' } }, undefined],
  ];
  let body: Record<string, unknown> = {};
  const server = await startStandIn(t, () => ({ status: 201, body: { id: 5, ...body } }));
  const send = sender(server.url);
  for (const [fields, url] of urls) {
    body = fields;
    const { answered } = await send(STATUS);
    assert.deepEqual(answered, { status: 201, id: '5', ...(url === undefined ? {} : { url }) });
  }
});

test('no connection, a broken one and silence are retryable', async (t) => {
  const broken = await refusedWith(t, 'reset');
  assert.ok(isRetryable(broken));
  assert.equal(broken.code, 'github-unreachable');

  const server = await startStandIn(t, () => 'silence');
  const late = await failureOf(sender(server.url, { requestTimeoutMs: 100 })(STATUS));
  assert.ok(isRetryable(late));
  assert.equal(late.code, 'github-timeout');

  const away = await failureOf(sender('http://127.0.0.1:1')(STATUS));
  assert.ok(isRetryable(away));
  assert.equal(away.code, 'github-unreachable');
});

test('a stopping process calls its request off', async (t) => {
  const stop = new AbortController();
  const server = await startStandIn(t, () => {
    stop.abort();
    return 'silence';
  });
  const failure = await failureOf(sender(server.url)(STATUS, { signal: stop.signal }));
  assert.ok(isRetryable(failure));
  assert.equal(failure.code, 'github-aborted');
});

test('an error holds neither the token nor what a template filled in', async (t) => {
  for (const reply of [{ status: 422, body: { message: 'no' } }, 'reset'] satisfies Reply[]) {
    const server = await startStandIn(t, () => reply);
    const failure = await failureOf(sender(server.url)(DISPATCH));
    assert.ok(failure.cause !== undefined);
    if (reply !== 'reset') assert.ok(failure.cause instanceof RequestError);
    assert.doesNotMatch(inspect(failure, { depth: 20 }), /hunter2|ghp_/);
  }
});

test('a dispatch beyond GitHub’s limits is given up before it is sent', async () => {
  const send = sender('http://127.0.0.1:1');
  const keys = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`k${index}`, 1]));
  for (const change of [
    { payload: keys },
    { payload: { text: 'ü'.repeat(33_000) } },
    { eventType: '' },
    { eventType: 'x'.repeat(101) },
  ]) {
    const failure = await failureOf(send({ ...DISPATCH, ...change }));
    assert.equal(failure.code, 'dispatch-too-large', failure.message);
    assert.equal(isRetryable(failure), false);
  }
});

test('without credentials for GitHub nothing is sent, for good', async () => {
  const failure = await failureOf(sender('http://127.0.0.1:1', { auth: undefined })(STATUS));
  assert.equal(failure.code, 'github-not-configured');
  assert.equal(isRetryable(failure), false);
});
