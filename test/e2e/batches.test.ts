import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const TOKEN = 'token-of-sixteen-characters';
const SPECS = `
kind: hook
id: orders
sender: bearer
secrets: [ORDERS]
dedupe: string(body.n)
---
name: orders
repository: ${SITE}
on: { hook: { id: orders } }
batch: { window: 10m, max: 20 }
steps:
  - run: node -e 'const e = JSON.parse(fs.readFileSync(process.env.MAINSHEET_EVENTS_PATH)); console.log("all=" + e.map(({ body }) => body.n))' >> "$MAINSHEET_OUTPUT"
---
kind: hook
id: short
sender: bearer
secrets: [ORDERS]
---
name: short
repository: ${SITE}
on: { hook: { id: short } }
batch: { window: 1s }
steps:
  - run: node -e 'console.log("all=" + fs.readFileSync(process.env.MAINSHEET_EVENTS_PATH))' >> "$MAINSHEET_OUTPUT"
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'orders.yaml': SPECS },
    env: { MAINSHEET_SECRET_ORDERS: TOKEN, PATH: process.env['PATH'] ?? '' },
  });
});
after(() => world.close());

async function send(hook: string, n: number): Promise<string> {
  const url = new URL(`/webhooks/v1/hooks/${hook}`, world.controller.webhookUrl);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ n }),
  });
  assert.equal(response.status, 202);
  return ((await response.json()) as { delivery: string }).delivery;
}

const ended = async (spec: string): Promise<RunView> =>
  await until(`the run of ${spec} has succeeded`, async () =>
    (await world.runs()).find((run) => run.spec === spec && run.state === 'succeeded'),
  );

test('twenty events have one run, also when the process is killed while they are gathered (G2, G6)', async () => {
  const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
  for (const n of numbers.slice(0, 8)) await send('orders', n);
  await world.explained('orders.8');

  // Killed within the transaction that gathers, and right after it.
  await world.controller.kill();
  for (const place of ['intake.inside:3', 'intake.after:3']) {
    await world.controller.dieAt(place, () =>
      Promise.allSettled(numbers.slice(8, 16).map((n) => send('orders', n))),
    );
  }
  await world.controller.restart();
  // What got no answer is sent again.
  for (const n of numbers.slice(8, 16)) await send('orders', n);
  for (const n of numbers.slice(16, 19)) await send('orders', n);
  const { specs } = await world.explained('orders.19');
  const [gathering] = await world.runs();
  assert.equal(gathering?.state, 'blocked');
  assert.match(gathering.reason, /^Gathering events until .*: 19 of at most 20$/);
  assert.deepEqual(
    specs[0]?.reasons.filter(({ condition }) => condition === 'batch').map(({ detail }) => detail),
    [`event 19 of the batch that run ${gathering.id} has`],
  );
  // A delivery comes once more.
  await send('orders', 7);
  await send('orders', 20);

  const run = await ended('orders');
  assert.equal(run.id, gathering.id);
  const all = (run.outputs['all'] ?? '').split(',').map(Number);
  assert.deepEqual(
    all.toSorted((one, other) => one - other),
    numbers,
  );
  const { batch } = await world.controller.get<{
    batch: { deliveries: string[]; open: boolean };
  }>(`/runs/${run.id}`);
  assert.equal(batch.open, false);
  assert.deepEqual(
    batch.deliveries.map((id) => Number(id.replace('orders.', ''))),
    all,
  );
  assert.equal((await world.runs()).length, 1);
});

test('the window ends once, also when the process is killed as it does', async () => {
  await world.controller.kill();
  // The first change of state is the end of the batch.
  await world.controller.dieAt('change.inside', () => send('short', 1));
  await world.controller.restart();
  const run = await ended('short');
  const events = JSON.parse(run.outputs['all'] ?? '') as object[];
  assert.deepEqual(events, [{ hook: 'short', type: null, inputs: {}, body: { n: 1 } }]);
  assert.equal((await world.runs('&spec=short')).length, 1);
});
