import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { createPermissions } from '../../src/github/permissions.ts';
import { deliveryDigest } from '../../src/sources/github/delivery-digest.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { createTestClock } from '../github/support.ts';
import { sampleDelivery } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { logIn } from './pages/browser.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';
import { logInAs, peopleWith } from './people.ts';
import { fillTwo } from './two-repositories.ts';

const BODY = JSON.stringify({
  ref: 'refs/heads/main',
  before: 'a'.repeat(40),
  after: 'b'.repeat(40),
  repository: { full_name: 'Acme/Storefront' },
});

interface Sent {
  body?: string | Buffer;
  secret?: string;
  method?: string;
  /** Merged over the right ones; undefined leaves one out. */
  headers?: Record<string, string | undefined>;
}

const sign = (secret: string, body: string | Buffer) =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

async function send({ url }: Fixture, sent: Sent = {}): Promise<Response> {
  const { body = BODY, secret = 'secret', method = 'POST' } = sent;
  const headers = {
    'Content-Type': 'application/json',
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': 'd1',
    'X-Hub-Signature-256': sign(secret, body),
    ...sent.headers,
  };
  return await fetch(`${url}/webhooks/v1/github`, {
    method,
    headers: Object.entries(headers).filter((one): one is [string, string] => one[1] !== undefined),
    ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
  });
}

const stored = async ({ store }: Fixture) =>
  (await store.inbox.list({ limit: 200, before: undefined })).items.map(({ id }) => id);

/** The answer is a problem of this status and code, and nothing was stored or started. */
async function refused(fixture: Fixture, response: Response, status: number, code: string) {
  assert.equal(response.status, status);
  assert.match(response.headers.get('Content-Type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as Record<string, unknown>;
  assert.equal(problem['status'], status);
  assert.equal(problem['code'], code);
  assert.deepEqual(await stored(fixture), []);
  assert.equal(fixture.wakes(), 0);
  return problem;
}

test('a signed delivery is answered with 202 and is in the store, byte for byte', async (t) => {
  const fixture = await startHttp(t);
  const body = '{"repository": {"full_name": "Acme/Storefront"}, "ü": "☃\\n" }';
  const response = await send(fixture, { body, headers: { 'X-GitHub-Event': 'watch' } });
  assert.equal(response.status, 202);
  assert.deepEqual(await response.json(), { delivery: 'd1', duplicate: false });
  const found = await fixture.store.inbox.get('d1');
  assert.equal(found?.payload, body);
  assert.partialDeepStrictEqual(found.delivery, {
    event: 'watch',
    repository: 'acme/storefront',
    state: 'pending',
    receivedAt: NOW,
  });
  assert.equal(fixture.wakes(), 1);
});

test('the headers that say what a request is are kept and shown, cut, and no other', async (t) => {
  const fixture = await startHttp(t);
  const secrets = {
    Authorization: 'Bearer planted',
    Cookie: 'session=planted',
    'X-Forwarded-For': '198.51.100.7',
    'X-Other': 'planted',
  };
  const long = 'x'.repeat(201);
  const headers = { ...secrets, 'User-Agent': 'GitHub-Hookshot/"1"', 'X-GitHub-Hook-ID': long };
  assert.equal((await send(fixture, { headers })).status, 202);
  const kept = {
    'User-Agent': 'GitHub-Hookshot/"1"',
    'Content-Type': 'application/json',
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': 'd1',
    'X-GitHub-Hook-ID': long.slice(1),
  };
  const answer = await (await asAdmin(`${fixture.url}/api/v1/deliveries/d1`)).text();
  assert.deepEqual((JSON.parse(answer) as { headers: unknown }).headers, kept);
  const cookie = await logIn(fixture.url);
  const page = await fetch(`${fixture.url}/deliveries/d1`, { headers: { Cookie: cookie } });
  const shown = await page.text();
  assert.match(shown, /User-Agent:<\/span> GitHub-Hookshot\/&quot;1&quot;/);
  for (const text of [answer, shown]) {
    assert.doesNotMatch(text, /planted|198\.51|sha256=/);
  }
});

test('what decides nothing is in the store as processed before its sender is told, and the intake hears of it', async (t) => {
  const accepted: unknown[] = [];
  const outcome = { summary: 'Not deployed: no deployment spec names Acme/Storefront', specs: [] };
  const fixture = await startHttp(t, {
    intake: {
      settle: async (event) => (event === 'push' ? outcome : undefined),
      accepted: (delivery) => void accepted.push([delivery.id, delivery.outcome]),
    },
  });
  assert.equal((await send(fixture)).status, 202);
  const found = (await fixture.store.inbox.get('d1'))?.delivery;
  assert.deepEqual([found?.state, found?.outcome], ['processed', outcome]);
  assert.equal((await send(fixture)).status, 202);
  assert.deepEqual(accepted, [['d1', outcome]]);
});

test('the same delivery sent five times at once and again is stored once (G2)', async (t) => {
  const fixture = await startHttp(t);
  const answers = await Promise.all(Array.from({ length: 5 }, () => send(fixture)));
  answers.push(await send(fixture));
  const bodies = await Promise.all(answers.map(async (answer) => await answer.json()));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array.from({ length: 6 }, () => 202),
  );
  const fresh = bodies.filter((body) => !(body as { duplicate: boolean }).duplicate);
  assert.equal(fresh.length, 1);
  assert.deepEqual(await stored(fixture), ['d1']);
  assert.equal(fixture.wakes(), 1);
});

test('a body that came before is answered with the delivery that brought it, and makes nothing new', async (t) => {
  const fixture = await startHttp(t);
  const again = async (id: string, sent: Sent = {}) => {
    const headers = { 'X-GitHub-Delivery': id, ...sent.headers };
    const response = await send(fixture, { ...sent, headers });
    assert.equal(response.status, 202);
    return await response.json();
  };
  assert.deepEqual(await again('d1'), { delivery: 'd1', duplicate: false });
  assert.deepEqual(await again('d2'), { delivery: 'd2', duplicate: true, copyOf: 'd1' });
  // GitHub's own redelivery keeps its id.
  assert.deepEqual(await again('d1'), { delivery: 'd1', duplicate: true });
  assert.equal(fixture.wakes(), 1);
  assert.equal(await fixture.store.inbox.countPending(), 1);
  const { summary } = (await (
    await asAdmin(`${fixture.url}/api/v1/deliveries/d2/explain`)
  ).json()) as { summary: string };
  assert.equal(summary, 'Nothing new: delivery d1 has brought the same body before');
  // A form that GitHub's list of deliveries brought is known by what was signed, too.
  const form = {
    body: new URLSearchParams({ payload: BODY }).toString(),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  };
  const digest = deliveryDigest('push', sign('secret', form.body));
  await fixture.store.accept(sampleDelivery('missed', { digest }));
  assert.deepEqual(await again('d3', form), { delivery: 'd3', duplicate: true, copyOf: 'missed' });
  // The event is part of what a body says.
  const other = { body: '{}', headers: { 'X-GitHub-Event': 'watch' } };
  assert.deepEqual(await again('d4', other), { delivery: 'd4', duplicate: false });
  const another = { body: '{}', headers: { 'X-GitHub-Event': 'star' } };
  assert.deepEqual(await again('d5', another), { delivery: 'd5', duplicate: false });
});

test('while a secret is changed both count, and no third', async (t) => {
  const fixture = await startHttp(t, { secrets: ['new', 'old'] });
  const headers = (id: string) => ({ 'X-GitHub-Delivery': id });
  assert.equal((await send(fixture, { secret: 'old', headers: headers('d1') })).status, 202);
  const next = BODY.replace('main', 'next');
  assert.equal(
    (await send(fixture, { secret: 'new', body: next, headers: headers('d2') })).status,
    202,
  );
  assert.equal((await send(fixture, { secret: 'other', headers: headers('d3') })).status, 401);
  assert.deepEqual(await stored(fixture), ['d2', 'd1']);
});

test('a wrong or missing signature is refused', async (t) => {
  const fixture = await startHttp(t);
  const right = sign('secret', BODY);
  const wrong = [
    undefined,
    '',
    'sha256=',
    sign('other', BODY),
    sign('secret', `${BODY} `),
    right.slice(0, -1),
    right.replace('sha256', 'sha1'),
    right.slice('sha256='.length),
    `${right}, ${right}`,
  ];
  for (const signature of wrong) {
    const headers = { 'X-Hub-Signature-256': signature };
    const problem = await refused(fixture, await send(fixture, { headers }), 401, 'bad-signature');
    assert.match(String(problem['hint']), /GITHUB_WEBHOOK_SECRET/);
  }
  await refused(fixture, await send(fixture, { body: '' }), 401, 'bad-signature');
  const logged = fixture.log.find(({ msg }) => msg === 'webhook refused');
  assert.equal(logged?.['delivery'], 'd1', 'by which GitHub lists it');
});

test('a missing or malformed header is refused by its name, before the body is read', async (t) => {
  const fixture = await startHttp(t);
  const headers: [string, string | undefined][] = [
    ['X-GitHub-Event', undefined],
    ['X-GitHub-Event', 'push, push'],
    ['X-GitHub-Event', 'Push'],
    ['X-GitHub-Event', 'x'.repeat(101)],
    ['X-GitHub-Delivery', undefined],
    ['X-GitHub-Delivery', '../../etc/passwd'],
    ['X-GitHub-Delivery', 'a b'],
    ['X-GitHub-Delivery', 'd1, d1'],
    // Such are Mainsheet's own, of branches that it has looked at.
    ['X-GitHub-Delivery', 'reconcile-0123456789abcdef0123456789abcdef'],
    ['X-GitHub-Delivery', 'x'.repeat(101)],
  ];
  for (const [name, value] of headers) {
    const response = await send(fixture, { headers: { [name]: value } });
    const problem = await refused(fixture, response, 400, 'header-missing');
    assert.match(String(problem['detail']), new RegExp(`${name} is (missing|malformed)`));
  }
});

test('a signed body that is no JSON object is refused', async (t) => {
  const fixture = await startHttp(t);
  for (const body of ['{"ref":', 'hello', '{} {}', '\uFEFF{}', ' ']) {
    await refused(fixture, await send(fixture, { body }), 400, 'invalid-json');
  }
  assert.doesNotMatch(JSON.stringify(fixture.log), /hello/, 'the log repeats no body');
  for (const body of ['[]', '"text"', '42', 'null', 'true', '[{}]']) {
    await refused(fixture, await send(fixture, { body }), 400, 'invalid-payload');
  }
});

test('the form content type carries the same payload in a field', async (t) => {
  const fixture = await startHttp(t);
  const form = (body: string) =>
    send(fixture, { body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  await refused(fixture, await form('other=1'), 400, 'payload-missing');
  await refused(fixture, await form('payload='), 400, 'invalid-json');
  await refused(fixture, await form('payload=%7B'), 400, 'invalid-json');
  await refused(fixture, await form('payload=%7B%zz'), 400, 'invalid-form');
  const response = await form(new URLSearchParams({ payload: BODY }).toString());
  assert.equal(response.status, 202);
  assert.equal((await fixture.store.inbox.get('d1'))?.payload, BODY);
});

test('a form is exactly the one field payload, so that a JSON body is never read as one', async (t) => {
  const fixture = await startHttp(t);
  const payload = `payload=${encodeURIComponent(BODY)}`;
  const comment = JSON.stringify({ action: 'created', comment: { body: `x&${payload}&` } });
  for (const body of [
    comment,
    `x&${payload}`,
    `${payload}&x`,
    `${payload}&`,
    `&${payload}`,
    `${payload}&${payload}`,
    ` ${payload}`,
    `Payload=${encodeURIComponent(BODY)}`,
    `%70ayload=${encodeURIComponent(BODY)}`,
  ]) {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    await refused(fixture, await send(fixture, { body, headers }), 400, 'payload-missing');
  }
  // And the other way round.
  await refused(fixture, await send(fixture, { body: payload }), 400, 'invalid-json');
});

test('a body of one event that is sent as another is refused with that reason', async (t) => {
  const fixture = await startHttp(t);
  const comment = JSON.stringify({ action: 'created', comment: {}, issue: {}, repository: {} });
  const as = (event: string, body: string) =>
    send(fixture, { body, headers: { 'X-GitHub-Event': event } });
  const problem = await refused(fixture, await as('push', comment), 400, 'event-mismatch');
  assert.match(String(problem['detail']), /not that of the event push: it has no ref/);
  await refused(fixture, await as('release', BODY), 400, 'event-mismatch');
  await refused(fixture, await as('issues', BODY), 400, 'event-mismatch');
});

test('bytes that are no text are refused, also when they are signed', async (t) => {
  const fixture = await startHttp(t);
  const body = Buffer.concat([
    Buffer.from(BODY.slice(0, -1)),
    Buffer.from(',"x":"\xff"}', 'latin1'),
  ]);
  await refused(fixture, await send(fixture, { body }), 400, 'invalid-encoding');
});

test('an event that GitHub does not have makes no series of metrics', async (t) => {
  const fixture = await startHttp(t);
  for (const event of ['push', 'invented_1', 'invented_2', 'watch']) {
    const headers = { 'X-GitHub-Event': event, 'X-GitHub-Delivery': event };
    const body = event === 'push' ? BODY : '{}';
    assert.equal((await send(fixture, { body, headers })).status, 202);
  }
  const text = await (await fetch(`${fixture.url}/metrics`)).text();
  const series = text
    .split('\n')
    .filter((line) => /^mainsheet_deliveries_total{.* [1-9]/.test(line));
  assert.deepEqual(series, [
    'mainsheet_deliveries_total{event="push",result="accepted"} 1',
    'mainsheet_deliveries_total{event="other",result="accepted"} 3',
  ]);
});

test('a content type with parameters, in any case, is understood; others are refused', async (t) => {
  const fixture = await startHttp(t);
  const as = (type: string | undefined) => send(fixture, { headers: { 'Content-Type': type } });
  for (const type of [
    undefined,
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/vnd.api+json',
    'application/jsonp',
    ';',
  ]) {
    const problem = await refused(fixture, await as(type), 415, 'unsupported-content-type');
    assert.match(String(problem['hint']), /application\/json/);
  }
  assert.equal((await as('Application/JSON; charset=utf-8')).status, 202);
});

test('methods other than POST are refused, and the one that is allowed is named', async (t) => {
  const fixture = await startHttp(t);
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const response = await send(fixture, { method });
    assert.equal(response.headers.get('Allow'), 'POST');
    await refused(fixture, response, 405, 'method-not-allowed');
  }
});

test('a delivery that cannot be stored is answered with 503, when to come again, and no 2xx (G1)', async (t) => {
  const fixture = await startHttp(t);
  await fixture.store.close();
  const response = await send(fixture);
  assert.equal(response.status, 503);
  assert.match(response.headers.get('Retry-After') ?? '', /^\d+$/);
  assert.match(response.headers.get('Content-Type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as Record<string, unknown>;
  assert.equal(problem['code'], 'not-stored');
  assert.equal(fixture.wakes(), 0);
  const errors = fixture.log.filter(({ level }) => level === 50);
  assert.deepEqual(
    errors.map(({ msg, delivery, hint }) => [msg, delivery, hint]),
    [
      [
        'delivery could not be stored',
        'd1',
        'look at the database and its disk; the sender was told to come again',
      ],
    ],
  );
  await nothingIn(t, fixture.file);
});

test('a store that does not answer in time is answered for while GitHub still listens, and what it stores after all is worked on', async (t) => {
  const slept: number[] = [];
  const fixture = await startHttp(t, {
    sleep: async (ms, signal) => {
      if (ms === 8000) slept.push(ms);
      else await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    },
  });
  const response = await send(fixture);
  assert.equal(response.status, 503);
  assert.match(response.headers.get('Retry-After') ?? '', /^\d+$/);
  assert.deepEqual(slept, [8000]);
  await until('it is stored', async () => (await fixture.store.inbox.countPending()) === 1);
  await until('the intake is woken', () => fixture.wakes() === 1);
});

async function nothingIn(t: TestContext, file: string): Promise<void> {
  const store = await createStore(openSqlite(file));
  t.after(() => store.close());
  assert.equal(await store.inbox.countPending(), 0);
}

test('what the log says of a refused delivery holds nothing of its body or signature', async (t) => {
  const fixture = await startHttp(t);
  const body = '{"token":"very secret"}';
  await send(fixture, { body, secret: 'other' });
  await send(fixture, { body: `${body}x` });
  await fixture.store.close();
  await send(fixture, { body });
  const log = JSON.stringify(fixture.log);
  assert.doesNotMatch(log, /very secret|sha256=/);
});

test('what is remembered of the rights of people is asked for again once a verified delivery says that they changed', async (t) => {
  const asked: string[] = [];
  const request = async (_route: string, { repo }: { repo: string }) => {
    asked.push(repo);
    return { status: 200, headers: {}, data: { permission: 'read', user: { id: 1 } } };
  };
  const github = { octokit: async () => ({ request }) as never };
  const people = peopleWith(
    { alice: {} },
    { permissions: createPermissions({ github, clock: createTestClock() }) },
  );
  const fixture = await startHttp(t, { people });
  await fillTwo(fixture.store, fixture.specs);
  const headers = { Cookie: await logInAs(fixture.url, 'alice') };
  const askedFor = async () => {
    asked.length = 0;
    assert.equal((await fetch(`${fixture.url}/specs`, { headers })).status, 200);
    return asked.toSorted();
  };
  const both = ['skunkworks', 'storefront'];
  assert.deepEqual(await askedFor(), both);
  const body = JSON.stringify({ repository: { id: 1, full_name: 'Acme/Storefront' } });
  for (const [event, again] of [
    ['ping', []],
    ['member', ['storefront']],
    ['repository', ['storefront']],
    ['membership', both],
    ['organization', both],
    ['team', both],
  ] as const) {
    const sent = { 'X-GitHub-Event': event, 'X-GitHub-Delivery': event };
    assert.equal((await send(fixture, { body, secret: 'other', headers: sent })).status, 401);
    assert.deepEqual(await askedFor(), [], `${event} that is not signed`);
    assert.equal((await send(fixture, { body, headers: sent })).status, 202);
    assert.deepEqual(await askedFor(), again, event);
  }
});
