import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const SECRET = 'correct horse battery staple';

const HOOKS = `
kind: hook
id: images
sender: { hmac: { header: X-Signature, prefix: "sha256=" } }
secrets: [IMAGES]
extract:
  tag: { json: $.push_data.tag, type: string, required: true }
  who: { expression: "body.push_data.pusher", default: unknown }
  labels: $.labels
if: "!inputs.tag.startsWith('dev-')"
dedupe: body.id
---
kind: hook
id: stripe
sender: stripe
secrets: [STRIPE]
extract: { customer: $.data.object.customer }
if: hook.type == 'invoice.paid'
---
kind: hook
id: ask
sender: bearer
secrets: [IMAGES_TOKEN]
extract: { n: { json: $.n, type: number, required: true } }
schema: { properties: { n: { maximum: 10 } } }
respond: { wait: 30s }
---
kind: hook
id: alarm
sender: bearer
secrets: [IMAGES_TOKEN]
respond: { wait: 30s, callback: body.reply_to, secret: IMAGES }
`;

const SPECS = `
name: images
repository: ${SITE}
on:
  hook: { id: images, if: "inputs.tag != 'ignored'" }
steps:
  - run: |
      echo "tag=$MAINSHEET_INPUT_TAG" >> "$MAINSHEET_OUTPUT"
      echo "who=$WHO $MAINSHEET_EVENT" >> "$MAINSHEET_OUTPUT"
      echo "labels=$MAINSHEET_INPUT_LABELS" >> "$MAINSHEET_OUTPUT"
    env: { WHO: "\${{ inputs.who }} of \${{ event.body.push_data.repo }}" }
---
name: other
repository: ${SITE}
on: { hook: { id: images, ref: nowhere } }
steps: [{ run: "true" }]
---
name: paid
repository: ${SITE}
on: { hook: { id: stripe } }
steps: [{ run: 'echo "customer=$MAINSHEET_INPUT_CUSTOMER" >> "$MAINSHEET_OUTPUT"' }]
---
name: answer
repository: ${SITE}
on: { hook: { id: ask } }
steps: [{ run: 'echo "twice=$((MAINSHEET_INPUT_N * 2))" >> "$MAINSHEET_OUTPUT"' }]
`;

const SITE_SPEC = `
name: site
repository: ${SITE}
on: { push: { branches: [main] }, hook: { id: alarm, do: rollback } }
steps: [{ run: 'echo "sha=$MAINSHEET_SHA" >> "$MAINSHEET_OUTPUT"' }]
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'hooks.yaml': HOOKS, 'specs.yaml': SPECS, 'site.yaml': SITE_SPEC },
    env: {
      MAINSHEET_SECRET_IMAGES: SECRET,
      MAINSHEET_SECRET_IMAGES_TOKEN: 'token-of-sixteen-characters',
      MAINSHEET_SECRET_STRIPE: 'whsec_test',
      MAINSHEET_STEP_TARGETS: '127.0.0.0/8',
    },
  });
});
after(() => world.close());

async function send(payload: object, secret = SECRET): Promise<Response> {
  const body = JSON.stringify(payload);
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return await fetch(new URL('/webhooks/v1/hooks/images', world.controller.webhookUrl), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Signature': `sha256=${signature}` },
    body,
  });
}

async function sendBearer(hook: string, payload: object): Promise<Response> {
  return await fetch(new URL(`/webhooks/v1/hooks/${hook}`, world.controller.webhookUrl), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Authorization: 'Bearer token-of-sixteen-characters',
    },
    body: JSON.stringify(payload),
  });
}

const image = (id: string, tag: string) => ({
  id,
  push_data: { tag, pusher: 'alice', repo: 'shop' },
  labels: ['a', { b: 1 }],
});

test('a signed request to a hook runs the specs that name it, with its inputs, and is explained', async () => {
  const sha = await world.sample.commit({ message: 'Now', files: { 'README.md': 'now\n' } });
  await world.sample.push('main');
  const response = await send(image('e1', 'v1.2; rm -rf /'));
  assert.equal(response.status, 202);
  const { delivery } = (await response.json()) as { delivery: string };
  assert.equal(delivery, 'images.e1');

  const { summary, specs } = await world.explained(delivery);
  assert.equal(summary, 'Deploying images');
  const [images, other] = specs;
  assert.deepEqual(
    images?.reasons.map(({ condition, held }) => [condition, held]),
    [
      ['on.hook.id', true],
      ['hook.if', true],
      ['on.hook.if', true],
      ['on.hook.ref', true],
      ['if', true],
    ],
  );
  assert.equal(other?.reasons.find(({ held }) => !held)?.detail, `${SITE} has no revision nowhere`);
  const run = await until('the run has ended', async () => {
    const found = (await world.runs()).find(({ delivery: of }) => of === delivery);
    return found?.state === 'succeeded' && found;
  });
  assert.equal(run.sha, sha);
  assert.deepEqual(run.outputs, {
    tag: 'v1.2; rm -rf /',
    who: 'alice of shop hook',
    labels: '["a",{"b":1}]',
  });
});

test('the same delivery counts once, and a replay runs it again', async () => {
  const [first, again] = [await send(image('e2', 'v2')), await send(image('e2', 'v2'))];
  assert.deepEqual(
    [await first.json(), await again.json()],
    [
      { delivery: 'images.e2', duplicate: false },
      { delivery: 'images.e2', duplicate: true },
    ],
  );
  await world.explained('images.e2');
  const replayed = await asAdmin(`${world.controller.url}/api/v1/deliveries/images.e2/replay`, {
    method: 'POST',
  });
  const { runs } = (await replayed.json()) as { runs: RunView[] };
  assert.equal(replayed.status, 201);
  assert.equal(runs.length, 1);
  const made = (await world.runs()).filter(({ delivery }) => delivery === 'images.e2');
  assert.equal(made.length, 2);
});

test('what the conditions of hook and spec say no to is kept, and says why', async () => {
  await send(image('e3', 'dev-1'));
  await send(image('e4', 'ignored'));
  const failing = async (id: string) => {
    const { specs } = await world.explained(id);
    return specs.map(({ reasons }) => reasons.find(({ held }) => !held)?.condition);
  };
  assert.deepEqual(await failing('images.e3'), ['hook.if', 'hook.if']);
  assert.deepEqual(await failing('images.e4'), ['on.hook.if', 'on.hook.ref']);
});

test('a request that is not signed, or lacks an input, is refused, and nothing is stored', async () => {
  const forged = await send(image('e5', 'v5'), 'another secret');
  assert.equal(forged.status, 401);
  const lacking = await send({ id: 'e6' });
  assert.equal(lacking.status, 422);
  const { detail } = (await lacking.json()) as { detail: string };
  assert.match(detail, /tag is missing/);
  for (const id of ['images.e5', 'images.e6']) {
    const found = await asAdmin(`${world.controller.url}/api/v1/deliveries/${id}`);
    assert.equal(found.status, 404);
  }
});

test('an event of Stripe’s starts a run, under the id and type that Stripe gave it', async () => {
  const body = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'invoice.paid',
    data: { object: { customer: 'cus_1' } },
  });
  const time = Math.floor(Date.now() / 1000);
  const v1 = createHmac('sha256', 'whsec_test').update(`${time}.${body}`).digest('hex');
  const response = await fetch(new URL('/webhooks/v1/hooks/stripe', world.controller.webhookUrl), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Stripe-Signature': `t=${time},v1=${v1}` },
    body,
  });
  assert.deepEqual(await response.json(), { delivery: 'stripe.evt_1', duplicate: false });
  const run = await until('the run has ended', async () =>
    (await world.runs()).find(
      ({ delivery, state }) => delivery === 'stripe.evt_1' && state === 'succeeded',
    ),
  );
  assert.deepEqual(run.outputs, { customer: 'cus_1' });
});

test('a sender that waits is answered with what its run put out', async () => {
  const ask = async (n: unknown) => await sendBearer('ask', { n });
  const response = await ask(4);
  const { runs } = (await response.json()) as { runs: (RunView & { path: string })[] };
  assert.equal(response.status, 200);
  assert.deepEqual(
    runs.map(({ spec, state, outputs }) => [spec, state, outputs]),
    [['answer', 'succeeded', { twice: '8' }]],
  );
  const refused = await ask(11);
  assert.equal(refused.status, 422);
  assert.match(((await refused.json()) as { detail: string }).detail, /n must be <= 10/);
});

test('who asks for a rollback and waits is answered with its result, and is posted it; asked again, that nothing was done', async (t) => {
  const posted: { data: { delivery: string; run: string; state: string } }[] = [];
  const receiver = createServer((request, response) => {
    void json(request).then((body) => {
      posted.push(body as (typeof posted)[number]);
      response.end();
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const reply_to = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const shas: string[] = [];
  for (const message of ['one', 'two']) {
    const sha = await world.sample.commit({ message });
    shas.push(sha);
    await world.sample.push('main');
    await until('it is deployed', async () =>
      (await world.runs(`&sha=${sha}`)).some(({ state }) => state === 'succeeded'),
    );
  }
  const response = await sendBearer('alarm', { reply_to });
  const { delivery, runs } = (await response.json()) as { delivery: string; runs: RunView[] };
  assert.equal(response.status, 200);
  assert.deepEqual(
    runs.map(({ spec, state, outputs }) => [spec, state, outputs]),
    [['site', 'succeeded', { sha: shas[0] }]],
  );
  await until('the result is posted', () => posted.length > 0);
  assert.partialDeepStrictEqual(posted, [{ data: { delivery, state: 'succeeded' } }]);
  const again = await sendBearer('alarm', { reply_to });
  assert.deepEqual([again.status, ((await again.json()) as { runs: [] }).runs], [200, []]);
  assert.equal(posted.length, 1);
});
