import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deafUrl } from '../support/deaf.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main, "release/*"], paths: ["src/**"] } }
if: "!event.head_commit.message.contains('[skip deploy]')"
steps: [{ run: 'echo "deployed $MAINSHEET_SHA of $MAINSHEET_BRANCH"' }]
`;

let world: World;
let files = 0;
before(async () => {
  world = await createWorld({
    specs: { 'storefront.yaml': SPEC },
    // What the spec would deploy, if it were told of.
    files: { 'src/index.js': 'shop\n' },
    env: { MAINSHEET_RECONCILE_INTERVAL: '300ms', LOG_LEVEL: 'debug' },
  });
  await turnDeaf();
  await looked();
});
after(() => world.close());

const listen = (url: string) => world.forge.hook({ url, secret: world.controller.secret });
const hear = () => listen(world.controller.webhookUrl);
const turnDeaf = async () => listen(await deafUrl());

/** Waits for a look that begins and ends from now on. */
async function looked(): Promise<void> {
  const { log } = world.controller;
  const count = () => log.filter(({ msg }) => msg === 'branches looked at').length;
  const target = count() === 0 ? 1 : count() + 2;
  await until('the branches were looked at', () => count() >= target);
}

async function push(branch: string, message: string, file = `src/${(files += 1)}.js`) {
  const sha = await world.sample.commit({ message, branch, files: { [file]: `${message}\n` } });
  await world.sample.push(branch);
  return sha;
}

interface DeliveryView {
  id: string;
  payload: { after?: string };
}

/** The delivery of a commit's push that was found by looking. */
async function foundOf(sha: string): Promise<string | undefined> {
  const { items } = await world.controller.get<{ items: DeliveryView[] }>('/deliveries');
  for (const { id } of items.filter((one) => one.id.startsWith('reconcile-'))) {
    const { payload } = await world.controller.get<DeliveryView>(`/deliveries/${id}`);
    if (payload.after === sha) return id;
  }
  return undefined;
}

/** Waits until it stands in the inbox. */
const found = (sha: string) => until('the push was found', () => foundOf(sha));

test('the first look deploys nothing', async () => {
  const { items } = await world.controller.get<{ items: DeliveryView[] }>('/deliveries');
  assert.deepEqual([items, await world.runs()], [[], []]);
});

test('without any webhook a push is deployed, and explained like any other', async () => {
  const sha = await push('main', 'Unheard');
  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.match(await world.log(run.id), new RegExp(`deployed ${sha} of main`));
  const { specs } = await world.explained(await found(sha));
  assert.equal(specs[0]?.matched, true);
  await world.statusOf(sha, 'mainsheet/storefront', 'success');
});

test('paths and conditions hold for a push that was found, too', async () => {
  for (const [message, file, condition] of [
    ['Docs', 'docs/index.md', 'on.push.paths'],
    ['Later [skip deploy]', 'src/later.js', 'if'],
  ] as const) {
    const sha = await push('main', message, file);
    const { specs } = await world.explained(await found(sha));
    assert.deepEqual(
      specs[0]?.reasons.filter(({ held }) => !held).map((reason) => reason.condition),
      [condition],
    );
  }
});

test('a new branch that a spec names is deployed, another one is left alone', async () => {
  await push('feature/x', 'Elsewhere');
  const sha = await push('release/1', 'Release branch');
  assert.equal((await world.ended(sha)).state, 'succeeded');
  const { items } = await world.controller.get<{ items: DeliveryView[] }>('/deliveries');
  for (const { id } of items) {
    const { payload } = await world.controller.get<{ payload: { ref: string } }>(
      `/deliveries/${id}`,
    );
    assert.notEqual(payload.ref, 'refs/heads/feature/x');
  }
});

/** The webhook's delivery of a commit's push, when GitHub has been answered. */
const told = (sha: string) =>
  world.forge.waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);

test('a push that a webhook tells of too is deployed once, whichever tells first', async () => {
  hear();
  const sha = await push('main', 'Heard');
  const { id, status } = await told(sha);
  assert.equal(status, 202);
  await world.ended(sha);
  const twin = await foundOf(sha);
  const summaries = await Promise.all(
    [id, twin ?? []].flat().map(async (one) => (await world.explained(one)).summary),
  );
  const again = summaries.filter((summary) => summary.startsWith('Not deployed again: delivery '));
  assert.equal(again.length, summaries.length - 1, summaries.join());
  await looked();
  await turnDeaf();
  assert.equal(await foundOf(sha), twin, 'it is not found afterwards');
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
});

test('a late webhook of a push that was found deploys nothing', async () => {
  const sha = await push('main', 'Found first');
  await world.ended(sha);
  hear();
  const { id } = await told(sha);
  assert.equal((await world.forge.redeliver(id)).status, 202);
  assert.match((await world.explained(id)).summary, /^Not deployed again: delivery reconcile-/);
  await turnDeaf();
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
});

test('a branch that is forced back and forth without a webhook is deployed each time', async () => {
  const one = await push('release/2', 'one');
  await world.ended(one);
  const two = await push('release/2', 'two');
  await world.ended(two);
  const deployed = (sha: string, times: number) =>
    until(`${sha} was deployed ${times} times`, async () => {
      const runs = await world.runs(`&sha=${sha}&state=succeeded`);
      return runs.length === times;
    });
  await world.sample.push(`${one}:refs/heads/release/2`, { force: true });
  await deployed(one, 2);
  await world.sample.push(`${two}:refs/heads/release/2`, { force: true });
  await deployed(two, 2);
});
