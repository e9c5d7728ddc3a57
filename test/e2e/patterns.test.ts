import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { runCommand } from '../commands/run-command.ts';
import { startStandIn } from '../github/stand-in.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const TOKEN = 'token-of-sixteen-characters';
const PAGE = readFileSync(new URL('../../docs/patterns.md', import.meta.url), 'utf8');

/** What is said before the first pattern: the hook that those share which show none. */
const [BEFORE = '', ...SECTIONS] = PAGE.split(/^## /m);
const [SHARED = ''] = fences(BEFORE);

/** The YAML of each pattern, by the anchor of its section. */
const PATTERNS = Object.fromEntries(
  SECTIONS.map((section) => [
    (section.split('\n')[0] ?? '').toLowerCase().replaceAll(' ', '-'),
    fences(section),
  ]),
);

/** Each pattern as it is on the page, with a hook of its own where it is about the shared one. */
const SPECS = Object.fromEntries(
  Object.entries(PATTERNS).map(([pattern, texts]) => {
    const shared = texts.some((text) => text.includes('id: shop'));
    const documents = shared ? [SHARED, ...texts] : texts;
    const text = documents
      .join('---\n')
      .replaceAll('id: shop', `id: ${pattern}`)
      .replaceAll('acme/storefront', SITE)
      .replace('soak: 30m', 'soak: 1s');
    return [`${pattern}.yaml`, text];
  }),
);

function fences(text: string): string[] {
  return [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml = '']) => yaml);
}

/** What the steps of the page call. */
const PRICE = `#!/usr/bin/env node
const events = [JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'))].flat();
console.log(events.reduce((total, event) => total + event.body.amount * 2, 0));
`;

/** The receiver of notifications. */
let refuses = false;
const received: { id: unknown; path: string }[] = [];
const stock = createServer((request, response) => {
  received.push({ id: request.headers['webhook-id'], path: request.url ?? '' });
  response.writeHead(refuses ? 410 : 204).end();
});

let world: World;
before(async () => {
  stock.listen(0, '127.0.0.1');
  await once(stock, 'listening');
  const there = `http://127.0.0.1:${(stock.address() as AddressInfo).port}`;
  world = await createWorld({
    specs: Object.fromEntries(
      Object.entries(SPECS).map(([file, text]) => [
        file,
        text.replace('https://stock.example.com', there),
      ]),
    ),
    files: { price: { executable: PRICE } },
    env: {
      MAINSHEET_SECRET_SHOP_TOKEN: TOKEN,
      MAINSHEET_STEP_TARGETS: '127.0.0.0/8',
    },
  });
});
after(async () => {
  await world.close();
  stock.close();
  stock.closeAllConnections();
});

const mainsheet = (...argv: string[]) =>
  runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });

async function send(hook: string, payload: object, headers: Record<string, string> = {}) {
  return await fetch(new URL(`/webhooks/v1/hooks/${hook}`, world.controller.webhookUrl), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Authorization: `Bearer ${TOKEN}`,
      ...headers,
    },
    body: JSON.stringify(payload),
  });
}

async function endedOf(hook: string, payload: object): Promise<RunView[]> {
  const { delivery } = (await (await send(hook, payload)).json()) as { delivery: string };
  const { specs } = await world.explained(delivery);
  const made = specs.filter(({ run }) => run !== null).length;
  return await until(`the runs of ${hook} have ended`, async () => {
    const runs = (await world.runs()).filter((run) => run.delivery === delivery);
    return (
      runs.length === made && runs.every(({ state }) => /succeeded|failed/.test(state)) && runs
    );
  });
}

test('the page has a section for each pattern in its table, and each is at most ten lines of YAML', () => {
  const anchors = [...PAGE.matchAll(/\]\(#([a-z-]+)\)/g)].map(([, anchor]) => anchor);
  assert.deepEqual(new Set(anchors), new Set(Object.keys(PATTERNS)));
  for (const [pattern, texts] of Object.entries({ ...PATTERNS, shared: [SHARED] })) {
    const lines = texts.flatMap((text) => text.split('\n')).filter((line) => /^ *[^ #]/.test(line));
    assert.ok(lines.length > 0 && lines.length <= 10, `${pattern} has ${lines.length} lines`);
    assert.ok(
      lines.every((line) => line.length <= 100),
      `a line of ${pattern} is too long`,
    );
  }
});

test('one to one: a request starts a run with what it says', async () => {
  const [run] = await endedOf('one-to-one', { tag: 'v1' });
  assert.deepEqual([run?.spec, run?.outputs], ['one', { tag: 'v1' }]);
});

test('fan-out: each spec decides and ends by itself', async () => {
  const both = await endedOf('fan-out', { region: 'all' });
  assert.deepEqual(Object.fromEntries(both.map(({ spec, state }) => [spec, state])), {
    eu: 'failed',
    us: 'succeeded',
  });
  const one = await endedOf('fan-out', { region: 'us' });
  assert.deepEqual(
    one.map(({ spec }) => spec),
    ['us'],
  );
});

test('request and response: the sender gets what the run put out', async () => {
  const response = await send('quote', { amount: 21 });
  const { runs } = (await response.json()) as { runs: RunView[] };
  assert.equal(response.status, 200);
  assert.deepEqual(
    runs.map(({ outputs }) => outputs),
    [{ total: '42' }],
  );
});

test('idempotency: what is sent again under its key counts once', async () => {
  const key = { 'Idempotency-Key': 'k1' };
  const answers = [await send('payment', { n: 1 }, key), await send('payment', { n: 2 }, key)];
  const [first, second] = await Promise.all(answers.map(async (one) => await one.json()));
  assert.deepEqual(first, { delivery: 'payment.k1', duplicate: false });
  assert.deepEqual(second, { delivery: 'payment.k1', duplicate: true });
  assert.equal((await send('payment', { n: 1 })).status, 422);
});

test('retry: a step that failed once is tried again', async () => {
  const [run] = await endedOf('retry', {});
  assert.equal(run?.state, 'succeeded');
  assert.match(await world.log(run.id), /exit code 1; trying again in [\s\S]*attempt 2/);
});

test('request and callback: the result is posted where the request says, signed', async (t) => {
  let failures = 1;
  const receiver = await startStandIn(t, () => ({ status: failures-- > 0 ? 503 : 200 }), {
    validate: false,
  });
  await send('order', { amount: 21, reply_to: `${receiver.url}/reply` });
  const [first, again] = await until(
    'the result has come twice, since the first was refused',
    () => receiver.requests.length === 2 && receiver.requests,
  );
  assert.ok(first && again);
  assert.equal(again.headers['webhook-id'], first.headers['webhook-id']);
  const headers = Object.fromEntries(
    Object.entries(again.headers).map(([name, value]) => [name, String(value)]),
  );
  const key = new Webhook(Buffer.from(TOKEN), { format: 'raw' });
  const { type, data } = key.verify(again.text, headers) as {
    type: string;
    data: { outputs: object };
  };
  assert.deepEqual([type, data.outputs], ['run.succeeded', { total: '42' }]);
});

test('batch: many requests have one run', async () => {
  for (const amount of [1, 10]) await send('batch', { amount });
  const [run] = await endedOf('batch', { amount: 100 });
  assert.deepEqual(run?.outputs, { total: '222' });
});

test('dead letter: what a receiver refused is listed with its answer, and sent again by hand', async () => {
  refuses = true;
  const [run] = await endedOf('dead-letter', {});
  const dead = await until('the notification is dead', async () => {
    const { items } = JSON.parse((await mainsheet('outbox', '--json')).stdout) as {
      items: { id: string; run: string; error: string }[];
    };
    return items.find((entry) => entry.run === run?.id);
  });
  assert.match(JSON.stringify(dead), /410/);
  const [refused] = received;
  refuses = false;
  assert.equal((await mainsheet('resend', dead.id)).code, 0);
  const again = await until('it has come', () => received[1]);
  assert.equal(again.id, refused?.id);
  assert.equal(again.path, '/restocked');
});

test('event log: a hook that no spec names keeps what came, once', async () => {
  for (const id of ['e1', 'e2', 'e2']) await send('events', { id, text: 'kept' });
  const log = await until('both are processed', async () => {
    const { stdout } = await mainsheet('deliveries', '--hook', 'events', '--json');
    const { items } = JSON.parse(stdout) as {
      items: { id: string; state: string; summary: string }[];
    };
    return items.every(({ state }) => state === 'processed') && items;
  });
  assert.deepEqual(
    log.map(({ id, summary }) => [id, summary]),
    ['events.e2', 'events.e1'].map((id) => [
      id,
      'Not deployed: no deployment spec names the hook events',
    ]),
  );
  const { payload } = await world.controller.get<{ payload: { body: object; inputs: object } }>(
    '/deliveries/events.e1',
  );
  assert.deepEqual(payload, {
    hook: 'events',
    type: null,
    inputs: { level: 'info' },
    body: { id: 'e1', text: 'kept' },
  });
});

test('chain and promotion: staging, soak, approval, production at the same commit, and a spec for its failure', async () => {
  const sha = await world.sample.commit({ message: 'promoted' });
  await world.sample.push('main');
  const staging = await world.ended(sha, 'staging');
  assert.equal(staging.state, 'succeeded');
  const waiting = await until('production waits for a person', async () =>
    (await world.runs(`&sha=${sha}`)).find(({ spec }) => spec === 'production'),
  );
  assert.equal(waiting.state, 'blocked');
  const approved = await world.controller.post(`/runs/${waiting.id}/approve`);
  assert.equal(approved.status, 200);
  const production = await world.ended(sha, 'production');
  assert.deepEqual([production.id, production.state], [waiting.id, 'failed']);
  const alarm = await world.ended(sha, 'alarm');
  assert.deepEqual(alarm.outputs, { sha });
  const seen = await world.controller.get<{ startedBy: string; starts: object[] }>(
    `/runs/${production.id}`,
  );
  assert.equal(seen.startedBy, staging.id);
  assert.deepEqual(
    seen.starts.map((one) => ({ ...one, dueAt: undefined })),
    [{ spec: 'alarm', state: 'started', reason: '', run: alarm.id, dueAt: undefined }],
  );
});

test('alert and roll back: what Alertmanager sends rolls the spec back once, and one that is resolved does nothing', async () => {
  const deployed: string[] = [];
  for (const message of ['good', 'bad']) {
    deployed.push(await world.sample.commit({ message, branch: 'stable' }));
    await world.sample.push('stable');
    assert.equal((await world.ended(deployed.at(-1) ?? '', 'guarded')).state, 'succeeded');
  }
  // https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
  const alert = {
    version: '4',
    groupKey: '{}:{alertname="TooManyErrors"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'mainsheet',
    groupLabels: { alertname: 'TooManyErrors' },
    commonLabels: { alertname: 'TooManyErrors', severity: 'page' },
    commonAnnotations: {},
    externalURL: 'http://alertmanager.example',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'TooManyErrors' },
        annotations: {},
        startsAt: '2026-01-02T03:04:05.678Z',
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'http://prometheus.example',
        fingerprint: 'f00',
      },
    ],
  };
  const delivered = await send('alert', alert);
  const { delivery } = (await delivered.json()) as { delivery: string };
  const explained = await world.explained(delivery);
  assert.equal(explained.summary, `Rolling back guarded to ${deployed[0]?.slice(0, 7)}`);
  const rollback = explained.specs[0]?.run ?? '';
  await until('it is rolled back', async () => {
    const run = await world.controller.get<RunView & { cause: string }>(`/runs/${rollback}`);
    return run.state === 'succeeded' && run.cause === 'rollback' && run.sha === deployed[0];
  });
  const { duplicate } = (await (await send('alert', alert)).json()) as { duplicate: boolean };
  assert.equal(duplicate, true);
  const { items } = await world.controller.get<{
    items: { actor: string; action: string; detail: string }[];
  }>('/audit');
  const written = items.filter(({ action }) => action === 'run.rollback');
  assert.deepEqual(
    written.map(({ actor }) => actor),
    ['hook:alert'],
  );
  const paused = world.controller.log.find(({ msg }) => msg === 'lane paused after a rollback');
  assert.deepEqual([paused?.['by'], paused?.['delivery']], ['hook:alert', delivery]);
  assert.match(String(paused?.['reason']), /^rolled back to \w{7}: .*TooManyErrors/);
  assert.match(written[0]?.detail ?? '', /TooManyErrors.*the lane .* is paused; asked by delivery/);
  const why = await mainsheet('why', deployed[1] ?? '', '--repository', SITE);
  assert.match(why.stdout, /then rolled back to \w{7} by hook:alert/);
  const again = { ...alert, alerts: [{ ...alert.alerts[0], startsAt: '2026-01-02T04:00:00Z' }] };
  const { delivery: second } = (await (await send('alert', again)).json()) as { delivery: string };
  const { summary } = await world.explained(second);
  assert.match(summary, /^Not rolled back: it was rolled back to \w{7} already \(run /);
  const alerts = [{ ...alert.alerts[0], startsAt: '2026-01-03T00:00:00Z' }];
  assert.deepEqual(await endedOf('alert', { ...alert, status: 'resolved', alerts }), []);
});
