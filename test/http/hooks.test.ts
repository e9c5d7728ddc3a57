import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { createTryHook } from '../../src/controller/hooks/try-out.ts';
import { SOURCES } from '../../src/sources/index.ts';
import type { Hook } from '../../src/model/hook.ts';
import type { Run } from '../../src/model/run.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { matchesHookCondition } from '../../src/spec/match-hook.ts';
import { interaction, sendInteraction } from '../callbacks/slack-interaction.ts';
import { sampleRun } from '../store/samples.ts';
import { hookTarget } from '../../src/http/hooks.ts';
import type { Store } from '../../src/store/index.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';
import { rawRequest } from './raw.ts';

const TOKEN = 'a token of sixteen';
const PEOPLE = 'team: T0000000001\nusers: { U0000000001: alice }';

function hookOf(yaml: string): Hook {
  const { hooks, problems } = parseSpecs('hooks.yaml', `kind: hook\nid: a\nsecrets: T\n${yaml}`);
  assert.deepEqual(problems, []);
  const [loaded] = hooks;
  assert.ok(loaded);
  return loaded.hook;
}

interface Sent {
  token?: string;
  method?: string;
  path?: string;
  type?: string;
  body?: string;
  /** X-Forwarded-For. */
  from?: string;
}

async function send({ url }: Fixture, sent: Sent = {}): Promise<Response> {
  const { method = 'POST', body = '{}', type = 'application/json', token = TOKEN } = sent;
  return await fetch(`${url}/webhooks/v1/hooks/${sent.path ?? 'a'}`, {
    method,
    headers: {
      'Content-Type': type,
      'X-Token': token,
      ...(sent.from === undefined ? {} : { 'X-Forwarded-For': sent.from }),
    },
    ...(method === 'GET' ? {} : { body }),
  });
}

const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

const start = (t: Parameters<typeof startHttp>[0], yaml = '', trustedProxies: string[] = []) =>
  startHttp(t, {
    hooks: [hookOf(`sender: { header: X-Token }\n${yaml}`)],
    hookSecrets: { T: TOKEN },
    trustedProxies,
  });

test('what a hook does not take is refused before the body is read, and nothing is stored', async (t) => {
  const fixture = await start(t, 'addresses: [127.0.0.0/8, "::1"]');
  assert.deepEqual(await codeOf(await send(fixture, { path: 'b' })), [404, 'hook-unknown']);
  fixture.specs.loadedAt = 0;
  const early = await send(fixture, { path: 'b' });
  assert.deepEqual(
    [early.headers.get('Retry-After'), ...(await codeOf(early))],
    ['10', 503, 'specs-unread'],
  );
  fixture.specs.loadedAt = NOW;
  assert.deepEqual(await codeOf(await send(fixture, { method: 'PUT' })), [
    405,
    'method-not-allowed',
  ]);
  assert.deepEqual(await codeOf(await send(fixture, { type: 'text/plain' })), [
    415,
    'unsupported-content-type',
  ]);
  assert.deepEqual(await codeOf(await send(fixture, { token: 'x' })), [401, 'bad-signature']);
  const begun =
    'POST /webhooks/v1/hooks/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    'X-Token: x\r\nContent-Length: 100000\r\n\r\n{';
  assert.equal((await rawRequest(fixture.port, begun)).status, 401);
  for (const body of ['{', `t=${TOKEN}`]) {
    assert.deepEqual(await codeOf(await send(fixture, { body })), [400, 'payload-unreadable']);
  }
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
  assert.deepEqual(await codeOf(await send(fixture, { body: deep })), [400, 'payload-unreadable']);
  assert.equal(await fixture.store.inbox.countPending(), 0);
  assert.equal(fixture.wakes(), 0);
  const reasons = fixture.log.filter(({ msg }) => msg === 'webhook refused');
  assert.deepEqual(reasons.map(({ code }) => code).slice(0, 3), [
    'hook-unknown',
    'specs-unread',
    'method-not-allowed',
  ]);
  assert.doesNotMatch(JSON.stringify(fixture.log), new RegExp(TOKEN));
});

test('of a hook whose secret has no value the log says which, and the sender is not told', async (t) => {
  const hooks = [hookOf('sender: { header: X-Token }')];
  const fixture = await startHttp(t, { hooks, hookSecrets: {} });
  const answer = await send(fixture);
  assert.equal(answer.status, 401);
  assert.doesNotMatch(await answer.text(), /notSet|"T"/);
  const logged = fixture.log.find(({ msg }) => msg === 'webhook refused');
  assert.deepEqual(logged?.['notSet'], ['T']);
});

test('of a GET, too, the bytes are verified as they came, before they are read as text', async (t) => {
  const hooks = [hookOf('sender: { hmac: { header: X-Signature } }\nmethods: [POST, GET]')];
  const { url } = await startHttp(t, { hooks, hookSecrets: { T: TOKEN } });
  const get = async (body: Buffer, signed = body) => {
    const signature = createHmac('sha256', TOKEN).update(signed).digest('hex');
    const headers = { 'X-Signature': signature, 'Content-Length': body.length };
    const asked = request(`${url}/webhooks/v1/hooks/a`, { method: 'GET', headers }).end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const { code } = (await json(response)) as { code?: string };
    return [response.statusCode, code];
  };
  const bytes = Buffer.from([0xff, 0xfe, 0x00]);
  assert.deepEqual(await get(Buffer.from('\uFEFF{"a": 1}\r\n')), [202, undefined]);
  assert.deepEqual(await get(bytes), [400, 'payload-unreadable']);
  assert.deepEqual(await get(bytes, Buffer.from(bytes.toString())), [401, 'bad-signature']);
});

test('an address that is not allowed is refused; who it is a trusted proxy alone can say', async (t) => {
  const allowed = 'addresses: 203.0.113.0/24';
  const direct = await start(t, allowed);
  assert.deepEqual(await codeOf(await send(direct, { from: '203.0.113.7' })), [
    403,
    'address-refused',
  ]);
  const proxied = await start(t, allowed, ['127.0.0.1', '10.0.0.0/8']);
  assert.equal((await send(proxied, { from: '203.0.113.7' })).status, 202);
  assert.equal((await send(proxied, { from: '203.0.113.7, 10.1.1.1' })).status, 202);
  // The sender itself has written the first.
  const forged = await send(proxied, { from: '203.0.113.7, 198.51.100.1' });
  assert.deepEqual(await codeOf(forged), [403, 'address-refused']);
});

test('an address of which many requests were refused has to wait, and no other', async (t) => {
  const fixture = await start(t, '', ['127.0.0.1']);
  const refused = async (from: string) => (await send(fixture, { token: 'x', from })).status;
  for (let count = 0; count < 30; count += 1) assert.equal(await refused('198.51.100.1'), 401);
  const waiting = await send(fixture, { from: '198.51.100.1' });
  assert.equal(waiting.headers.get('Retry-After'), '2');
  assert.deepEqual(await codeOf(waiting), [429, 'too-many-requests']);
  assert.equal((await send(fixture, { from: '198.51.100.2' })).status, 202);
  // The addresses of one network of IPv6 are one sender's.
  for (let count = 0; count < 30; count += 1) await refused(`2001:db8:0:1::${count + 1}`);
  assert.equal(await refused('2001:db8:0:1:ffff::1'), 429);
  assert.equal(await refused('2001:db8:0:2::1'), 401);
});

test('a private address is not counted: others may stand behind it', async (t) => {
  const fixture = await start(t);
  for (let count = 0; count < 31; count += 1) await send(fixture, { token: 'x' });
  assert.equal((await send(fixture)).status, 202);
});

test('a hook takes no more than its rate, and says when to come again', async (t) => {
  const fixture = await start(t, 'rate: 2/m');
  assert.equal((await send(fixture)).status, 202);
  assert.equal((await send(fixture)).status, 202);
  const over = await send(fixture);
  assert.equal(over.headers.get('Retry-After'), '30');
  assert.deepEqual(await codeOf(over), [429, 'too-many-requests']);
});

test('an address has a rate of its own at a hook, and uses up nothing of another’s', async (t) => {
  const fixture = await start(t, 'rate-per-address: 1/m', ['127.0.0.1/32', '::1/128']);
  const statusFrom = async (from: string) => (await send(fixture, { from })).status;
  assert.equal(await statusFrom('2001:db8::1'), 202);
  assert.equal(await statusFrom('2001:db8::2'), 429, 'the same network');
  assert.equal(await statusFrom('203.0.113.7'), 202);
  const over = await send(fixture, { from: '203.0.113.7' });
  assert.equal(over.headers.get('Retry-After'), '60');
});

test('of the headers of a request those are kept that say what it is, but for the one that has the token', async (t) => {
  const fixture = await startHttp(t, {
    hooks: [hookOf('sender: { header: X-Event-Key }')],
    hookSecrets: { T: TOKEN },
  });
  const response = await fetch(`${fixture.url}/webhooks/v1/hooks/a`, {
    method: 'POST',
    headers: {
      'X-Event-Key': TOKEN,
      'X-Gitlab-Token': TOKEN,
      'X-Request-UUID': 'u1',
      'User-Agent': 'sender/1',
      'Content-Type': 'application/json',
    },
    body: '{}',
  });
  const { delivery } = (await response.json()) as { delivery: string };
  const { headers = '' } = (await fixture.store.inbox.get(delivery)) ?? {};
  assert.deepEqual(JSON.parse(headers), {
    'User-Agent': 'sender/1',
    'Content-Type': 'application/json',
    'X-Request-UUID': 'u1',
  });
});

test('a form is read as one, and a path may have the secret', async (t) => {
  const fixture = await startHttp(t, {
    hooks: [
      hookOf(
        'sender: path\ncontent-types: application/x-www-form-urlencoded\nextract: { a: $.a, b: { query: b } }',
      ),
    ],
    hookSecrets: { T: 'secret-in-the-path' },
  });
  const type = 'application/x-www-form-urlencoded';
  const body = 'a=1&a=2&__proto__=x';
  const path = 'a/secret-in-the-path?b=3';
  const response = await send(fixture, { path, type, body });
  const { delivery } = (await response.json()) as { delivery: string };
  const found = await fixture.store.inbox.get(delivery);
  assert.equal(
    found?.payload,
    '{"hook":"a","type":null,"inputs":{"a":["1","2"],"b":"3"},"body":{"a":["1","2"],"__proto__":"x"}}',
  );
  assert.equal((await send(fixture, { path: 'a/other', type, body })).status, 401);
  assert.equal((await send(fixture, { path: 'a', type, body })).status, 401);
});

const hmacOf = (text: string) => createHmac('sha256', TOKEN).update(text).digest('hex');
/** As each asks whether a URL is right. */
const GREETINGS = [
  {
    name: 'Slack’s verification of a URL is answered with its challenge',
    sender: 'slack',
    body: JSON.stringify({ type: 'url_verification', challenge: '3eZb' }),
    headers: (body: string) => ({
      'X-Slack-Signature': `v0=${hmacOf(`v0:1767323045:${body}`)}`,
      'X-Slack-Request-Timestamp': '1767323045',
    }),
    answer: '3eZb',
  },
  {
    name: 'PagerDuty’s ping is answered that it starts nothing',
    sender: 'pagerduty\nextract: { incident: { json: $.event.data.id, required: true } }',
    body: JSON.stringify({
      event: {
        id: '01BUJL64PEKZ1DMFV0WEVUWPXK',
        event_type: 'pagey.ping',
        resource_type: 'pagey',
        data: { message: 'Hello from your friend Pagey!', type: 'ping' },
      },
    }),
    headers: (body: string) => ({ 'X-PagerDuty-Signature': `v1=${hmacOf(body)}` }),
    answer: 'The hook works. A ping starts nothing.',
  },
  {
    name: 'GitHub’s ping is answered that it starts nothing',
    sender: 'github\nextract: { tag: { json: $.release.tag_name, required: true } }',
    body: JSON.stringify({
      zen: 'Design for failure.',
      hook_id: 7,
      hook: { type: 'Repository', id: 7, events: ['package'] },
      repository: { full_name: 'acme/shop' },
    }),
    headers: (body: string) => ({
      'X-GitHub-Event': 'ping',
      'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'X-Hub-Signature-256': `sha256=${hmacOf(body)}`,
    }),
    answer: 'The hook works. A ping starts nothing.',
  },
];

for (const { name, sender, body, headers, answer } of GREETINGS) {
  test(`${name}, once it is verified, and not stored`, async (t) => {
    const hooks = [hookOf(`sender: ${sender}`)];
    const fixture = await startHttp(t, { hooks, hookSecrets: { T: TOKEN } });
    const post = async (signed: string) =>
      await fetch(`${fixture.url}/webhooks/v1/hooks/a`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers(signed) },
        body,
      });
    const response = await post(body);
    assert.deepEqual([response.status, await response.text()], [200, answer]);
    assert.equal((await post(`${body} `)).status, 401);
    assert.equal(await fixture.store.inbox.countPending(), 0);
  });
}

const NOTHING_STORED = {
  inbox: { get: async () => undefined },
  environments: { list: async () => [] },
} as unknown as Store;

test('GitHub’s ping is tried as what it is: no input is missing, and nothing starts', async () => {
  const ping = GREETINGS.at(-1);
  assert.ok(ping);
  const { sender, body, headers } = ping;
  const hook = hookOf(`sender: ${sender}`);
  const { specs } = parseSpecs(
    'specs.yaml',
    'name: x\nrepository: a/b\non: { hook: { id: a } }\nsteps: [{ run: "true" }]',
  );
  const verify = SOURCES.github.verifier([TOKEN]);
  const tryHook = createTryHook({
    hooks: {
      find: async () => ({
        hook,
        dynamic: undefined,
        verify,
        withoutValue: () => [],
        allows: () => true,
      }),
    },
    catalog: { forHook: () => specs, forRepository: () => [], hook: () => undefined },
    clock: { now: () => NOW },
    store: NOTHING_STORED,
  });
  const request = { body, contentType: 'application/json', headers: headers(body), query: {} };
  const { refused, specs: verdicts } = await tryHook('a', request);
  assert.equal(refused, undefined);
  assert.deepEqual(
    verdicts.map(({ spec, verdict }) => [spec, verdict.matched, verdict.reasons[0]?.detail]),
    [
      [
        'x',
        false,
        'the sender is answered "The hook works. A ping starts nothing.", and nothing starts',
      ],
    ],
  );
});

test('a request is tried apart from a secret in the path; what was taken or taken back before starts nothing', async () => {
  const hook = hookOf('sender: path\ndedupe: body.id');
  const { specs } = parseSpecs(
    'specs.yaml',
    ['deploy', 'rollback']
      .map(
        (does) =>
          `name: ${does}\nrepository: a/b\non: { hook: { id: a, do: ${does} } }\nsteps: [{ run: "true" }]`,
      )
      .join('\n---\n'),
  );
  const taken: string[] = [];
  const runs: Run[] = [];
  const store = {
    inbox: { get: async (id: string) => (taken.includes(id) ? {} : undefined) },
    environments: {
      list: async () => runs.map(({ id }) => ({ spec: 'rollback', run: id, deployedAt: 1 })),
    },
    runs: { get: async () => runs[0], activeAt: async () => [] },
  } as unknown as Store;
  const tryHook = createTryHook({
    hooks: {
      find: async () => ({
        hook,
        dynamic: undefined,
        verify: SOURCES.path.verifier([TOKEN], hook.options),
        withoutValue: () => [],
        allows: () => true,
      }),
    },
    catalog: { forHook: () => specs, forRepository: () => [], hook: () => ({ hook }) as never },
    clock: { now: () => NOW },
    store,
  });
  const request = { body: '{"id":"7"}', contentType: 'application/json', headers: {}, query: {} };
  const tried = async () => {
    const { refused, specs: verdicts } = await tryHook('a', request);
    assert.equal(refused, undefined);
    return verdicts.map(({ verdict }) =>
      verdict.matched ? 'starts' : verdict.reasons.at(-1)?.detail,
    );
  };
  assert.deepEqual(await tried(), ['starts', 'starts']);
  runs.push({ ...sampleRun('r9', { sha: '1'.repeat(40) }), cause: 'rollback', sequence: 1 });
  const back = 'it was rolled back to 1111111 already (run r9)';
  assert.deepEqual(await tried(), ['starts', back]);
  taken.push('a.7');
  const before = 'it was taken before, as the delivery a.7, and counts once';
  assert.deepEqual(await tried(), [before, before]);
});

test('Grafana has no handshake: the test of a contact point is an alert, answered 202, that a condition keeps out', async (t) => {
  const header = 'X-Grafana-Alerting-Signature';
  const timestamp = `${header}-Timestamp`;
  const sender = `sender: { hmac: { header: ${header}, timestamp: ${timestamp}, signed: '{timestamp}:{body}' } }`;
  const hook = hookOf(`${sender}\nif: body.commonLabels.alertname != 'TestAlert'`);
  const fixture = await startHttp(t, { hooks: [hook], hookSecrets: { T: TOKEN } });
  const labels = { alertname: 'TestAlert', instance: 'Grafana' };
  const body = JSON.stringify({
    receiver: 'test',
    status: 'firing',
    alerts: [{ status: 'firing', labels, annotations: { summary: 'Notification test' } }],
    groupLabels: labels,
    commonLabels: labels,
    title: '[FIRING:1] TestAlert Grafana',
    state: 'alerting',
  });
  const response = await fetch(`${fixture.url}/webhooks/v1/hooks/a`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      [header]: hmacOf(`1767323045:${body}`),
      [timestamp]: '1767323045',
    },
    body,
  });
  assert.equal(response.status, 202);
  const { delivery } = (await response.json()) as { delivery: string };
  const stored = await fixture.store.inbox.get(delivery);
  const verdict = matchesHookCondition('hook.if', hook.if, JSON.parse(stored?.payload ?? ''));
  assert.equal(verdict.matched, false);
});

test('a press of a button in Slack is stored once before an empty 200, and shown without what Slack keeps secret', async (t) => {
  const fixture = await startHttp(t, {
    hooks: [hookOf(`sender: slack\n${PEOPLE}`)],
    hookSecrets: { T: 'slack secret' },
  });
  const url = `${fixture.url}/webhooks/v1/hooks/a`;
  const sent = { payload: interaction(), secret: 'slack secret', now: NOW };
  for (let count = 0; count < 2; count += 1) {
    const response = await sendInteraction(url, sent);
    assert.deepEqual([response.status, await response.text()], [200, '']);
  }
  assert.equal(await fixture.store.inbox.countPending(), 1);
  assert.equal((await sendInteraction(url, { ...sent, secret: 'other' })).status, 401);
  assert.equal((await sendInteraction(url, { ...sent, now: NOW - 301_000 })).status, 401);
  assert.equal(await fixture.store.inbox.countPending(), 1);
  const claimed = await fixture.store.inbox.claim(NOW, 1000);
  const path = `/api/v1/deliveries/${claimed?.delivery.id}`;
  const shown = await (await asAdmin(fixture.url + path)).text();
  assert.match(shown, /"action":"mainsheet-approve"/);
  assert.doesNotMatch(shown, /of-Slack|hooks\.slack\.com/);
});

test('large numbers of a payload stay as they are', async (t) => {
  const fixture = await start(t);
  const response = await send(fixture, { body: '{"id": 12345678901234567890}' });
  const { delivery } = (await response.json()) as { delivery: string };
  const found = await fixture.store.inbox.get(delivery);
  assert.match(found?.payload ?? '', /"body":\{"id": 12345678901234567890\}\}$/);
});

test('XML is read as elements, attributes and text, and a document type is refused', async (t) => {
  const fixture = await start(
    t,
    'content-types: application/xml\nextract: { id: "$.order[\'@id\']", item: $.order.item }',
  );
  const order = '<order id="7"><item>a</item><item>b &amp; c</item></order>';
  const response = await send(fixture, { type: 'application/xml', body: order });
  const { delivery } = (await response.json()) as { delivery: string };
  const found = await fixture.store.inbox.get(delivery);
  const { inputs } = JSON.parse(found?.payload ?? '') as { inputs: object };
  assert.deepEqual(inputs, { id: '7', item: ['a', 'b & c'] });
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>';
  for (const body of [
    bomb,
    '<!DOCTYPE x><x/>',
    '<a>',
    `<a>${TOKEN}`,
    `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`,
  ]) {
    const refused = await send(fixture, { type: 'application/xml', body });
    assert.deepEqual(await codeOf(refused), [400, 'payload-unreadable']);
  }
  assert.doesNotMatch(JSON.stringify(fixture.log), new RegExp(TOKEN), 'the log repeats no body');
});

test('inputs that are not as the schema has them are refused, all at once and without their values', async (t) => {
  const fixture = await start(
    t,
    'extract: { a: $.a, b: $.b }\nschema: { properties: { a: { type: string, pattern: "^v[0-9]+$" }, b: { minimum: 1 } } }',
  );
  const response = await send(fixture, { body: '{"a":"hostile","b":0}' });
  const { detail } = (await response.json()) as { detail: string };
  assert.equal(response.status, 422);
  assert.match(detail, /a must match pattern .*; b must be >= 1/);
  assert.doesNotMatch(detail, /hostile/);
  assert.equal((await send(fixture, { body: '{"a":"v12","b":1}' })).status, 202);
  assert.equal((await send(fixture, { body: '{"a":null}' })).status, 202, 'what has no value');
});

test('a URL for the result is kept, and what is none is refused without being repeated', async (t) => {
  const fixture = await start(
    t,
    "respond: { callback: 'has(body.url) ? body.url : null', secret: REPLY_KEY }",
  );
  for (const url of ['ftp://x', 'javascript:alert(1)', 'https://user:pw@x.example', 7, '/path']) {
    const refused = await send(fixture, { body: JSON.stringify({ url }) });
    assert.equal(refused.status, 422, String(url));
    assert.doesNotMatch(await refused.text(), /javascript|user:pw/);
  }
  const urlOf = async (body: object) => {
    const response = await send(fixture, { body: JSON.stringify(body) });
    const { delivery } = (await response.json()) as { delivery: string };
    return (await fixture.store.inbox.callbacks([delivery])).get(delivery);
  };
  assert.equal(
    await urlOf({ url: 'https://x.example/a b' }),
    '{"url":"https://x.example/a%20b","secret":"REPLY_KEY"}',
  );
  assert.equal(await urlOf({}), undefined);
});

test('a sender that waits is answered when its delivery is over, and told where its runs are when it is not', async (t) => {
  const fixture = await start(t, 'respond: { wait: 5s }\ndedupe: body.id');
  const waiting = send(fixture, { body: '{"id":"d1"}' });
  await until('it is stored', async () => (await fixture.store.inbox.countPending()) === 1);
  const run = await fixture.store.runs.insert(sampleRun('r1', { delivery: 'a.d1' }), ['Build']);
  assert.ok(run);
  const verdict = { matched: true, reasons: [] };
  const outcome = { summary: '', specs: [{ spec: 'x', verdict, run: 'r1' }] };
  await fixture.store.inbox.close('a.d1', 'processed', outcome, NOW);
  await fixture.store.runs.update({ ...run, state: 'succeeded' }, { state: 'queued' });
  fixture.news.publish({ kind: 'run', run: 'r1', spec: 'x', state: 'succeeded' });
  const response = await waiting;
  assert.equal(response.status, 200);
  const { runs } = (await response.json()) as { runs: { run: string; path: string }[] };
  assert.deepEqual(
    runs.map(({ run: id, path }) => [id, path]),
    [['r1', 'runs/r1']],
  );
});

test('what is not signed uses up nothing of a hook’s rate', async (t) => {
  const fixture = await start(t, 'rate: 1/m');
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await send(fixture, { token: 'x' })).status, 401);
  }
  assert.equal((await send(fixture)).status, 202);
});

const FORGE = 'sender: gitea\nserver: forge';
const signed = (body: string) => ({
  'Content-Type': 'application/json',
  'X-Gitea-Signature': createHmac('sha256', TOKEN).update(body).digest('hex'),
});

test('the push of a git server is a delivery of its repository, and the same signed body counts once at all its hooks', async (t) => {
  const hooks = [hookOf(FORGE), { ...hookOf(FORGE), id: 'b' }];
  const { url, store } = await startHttp(t, { hooks, hookSecrets: { T: TOKEN } });
  const [from, to] = ['a'.repeat(40), 'b'.repeat(40)];
  const push = { ref: 'refs/heads/main', before: from, after: to };
  const body = JSON.stringify({ ...push, repository: { id: 7, full_name: 'Acme/Shop' } });
  const post = async (hook: string, id: string) => {
    const headers = { ...signed(body), 'X-Gitea-Delivery': id };
    const answer = await fetch(`${url}/webhooks/v1/hooks/${hook}`, {
      method: 'POST',
      headers,
      body,
    });
    assert.equal(answer.status, 202);
    return (await answer.json()) as object;
  };
  assert.deepEqual(await post('a', 'id-1'), { delivery: 'a.id-1', duplicate: false });
  assert.deepEqual(await post('a', 'id-1'), { delivery: 'a.id-1', duplicate: true });
  for (const [hook, id] of [
    ['a', 'id-2'],
    ['b', 'id-1'],
  ] as const) {
    const expected = { delivery: `${hook}.${id}`, duplicate: true, copyOf: 'a.id-1' };
    assert.deepEqual(await post(hook, id), expected);
  }
  const stored = await store.inbox.get('a.id-1');
  assert.equal(stored?.payload, body);
  assert.equal(stored.delivery.event, 'push@forge');
  assert.equal(stored.delivery.repository, 'forge:acme/shop');
});

test('what a git server tells beside pushes and releases is kept with no repository', async (t) => {
  const fixture = await startHttp(t, { hooks: [hookOf(FORGE)], hookSecrets: { T: TOKEN } });
  const body = JSON.stringify({ action: 'opened', issue: {} });
  const answer = await fetch(`${fixture.url}/webhooks/v1/hooks/a`, {
    method: 'POST',
    headers: { ...signed(body), 'X-Gitea-Delivery': 'id' },
    body,
  });
  assert.equal(answer.status, 202);
  const { delivery } = (await fixture.store.inbox.get('a.id')) ?? {};
  assert.deepEqual([delivery?.event, delivery?.repository], ['other@forge', undefined]);
});

for (const [what, yaml] of [
  ['the hook of a git server is not to be had at other ids, whose scope no push has', FORGE],
  ['a hook for buttons is not, whose secret speaks for people', `sender: slack\n${PEOPLE}`],
] as const) {
  test(what, async (t) => {
    const fixture = await startHttp(t, { hooks: [hookOf(yaml)], hookSecrets: { T: TOKEN } });
    const answer = await asAdmin(`${fixture.url}/api/v1/hooks`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ hook: 'a', owner: 'acme' }),
    });
    assert.deepEqual(await codeOf(answer), [409, 'hook-unsuitable']);
  });
}

test('a hook may be kept to the addresses that GitHub sends from, and others beside them', async (t) => {
  const fixture = await startHttp(t, {
    hooks: [hookOf('sender: { header: X-Token }\naddresses: [github, 198.51.100.0/24]')],
    hookSecrets: { T: TOKEN },
    trustedProxies: ['127.0.0.1'],
    isGitHub: (address) => address === '192.30.252.1',
  });
  assert.equal((await send(fixture, { from: '192.30.252.1' })).status, 202);
  assert.equal((await send(fixture, { from: '198.51.100.1' })).status, 202);
  assert.equal((await send(fixture, { from: '203.0.113.1' })).status, 403);
});

test('a hook is found by a target with or without an origin, and nothing beside its path is one', () => {
  const found = { id: 'a', token: 's.1', query: 'b=3&c' };
  assert.deepEqual(hookTarget('/webhooks/v1/hooks/a/s.1?b=3&c#d'), found);
  assert.deepEqual(hookTarget('https://m.example:8443/webhooks/v1/hooks/a/s.1?b=3&c'), found);
  assert.deepEqual(hookTarget('http://[::1]/webhooks/v1/hooks/a'), {
    ...found,
    token: '',
    query: '',
  });
  for (const other of [
    '/webhooks/v1/hooks/',
    '/webhooks/v1/hooks/A',
    '/webhooks/v1/hooks/a/b/c',
    '/x/webhooks/v1/hooks/a',
    '//webhooks/v1/hooks/a',
  ]) {
    assert.equal(hookTarget(other), undefined, other);
  }
});
