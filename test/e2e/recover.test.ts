import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main], tags: ["v*"] } }
concurrency: { queue: all }
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;

/** Of those that wait only the newest is deployed. */
const NEWEST = SPEC.replace('name: storefront', 'name: newest').replace(
  'queue: all',
  'queue: newest',
);

const worlds: World[] = [];
after(async () => {
  for (const world of worlds) await world.close();
});

async function push(world: World, message: string): Promise<string> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  await world.forge.waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);
  return sha;
}

/** Waits until what is found at the start is known: what was delivered before the first start was told to no process. */
const hasLooked = (world: World, route: string) =>
  world.forge.waitFor(({ path, status }) => path.startsWith(route) && status === 200, 30_000);

const hooks: [string, 'app' | 'token', string][] = [
  ['an App', 'app', '/app/hook/deliveries'],
  ['a token', 'token', `/repos/${SITE}/hooks/4711/deliveries`],
];
for (const [who, kind, route] of hooks) {
  test(`pushes that were made while the controller was down are deployed in order, once each, as ${who}`, async () => {
    const isApp = kind === 'app';
    const world = await createWorld({
      specs: { 'storefront.yaml': SPEC },
      forge: { app: isApp },
      credentials: kind,
      recovers: true,
    });
    worlds.push(world);
    await hasLooked(world, route);
    const heard = await push(world, 'heard');
    await world.ended(heard);

    await world.controller.stop();
    const missed = [await push(world, 'one'), await push(world, 'two'), await push(world, 'three')];
    for (const { status } of world.forge.deliveries.slice(-3)) assert.equal(status, 0);
    const seen = world.forge.journal.length;
    await world.controller.restart();

    for (const sha of missed) assert.equal((await world.ended(sha)).state, 'succeeded');
    const runs = (await world.runs()).toReversed();
    assert.deepEqual(
      runs.map(({ sha }) => sha),
      [heard, ...missed],
      'in the order in which they were pushed, and nothing twice',
    );
    const ids = new Set(world.forge.deliveries.map(({ id }) => id));
    assert.ok(runs.every(({ delivery }) => ids.has(delivery)));

    await world.controller.stop();
    await world.controller.restart();
    await until(
      'it has looked again',
      () =>
        world.forge.journal.slice(seen).filter(({ path }) => path.startsWith(`${route}?`)).length >
        1,
    );
    await world.settled();
    assert.equal((await world.runs()).length, 4);
  });
}

test('recover never deploys backwards: what was missed before the deployed revision ends superseded', async () => {
  const world = await createWorld({
    specs: { 'all.yaml': `${SPEC}---${NEWEST}` },
    recovers: true,
  });
  worlds.push(world);
  const { controller } = world;
  await hasLooked(world, `/repos/${SITE}/hooks/4711/deliveries`);
  const older = [
    await world.pushUnheard('main', 'one'),
    await world.pushUnheard('main', 'two'),
  ] as const;
  const newer = await push(world, 'newer');
  const specs = ['storefront', 'newest'];
  for (const spec of specs) assert.equal((await world.ended(newer, spec)).state, 'succeeded');
  assert.equal((await world.runs()).length, specs.length, 'the older ones are not told of yet');

  await controller.stop();
  await controller.restart();
  for (const { sha } of older) {
    for (const spec of specs) {
      const run = await world.ended(sha, spec);
      assert.equal(run.state, 'superseded', run.reason);
      assert.ok(!(await world.log(run.id)).includes(`deployed ${sha}`));
      await world.statusOf(sha, `mainsheet/${spec}`, 'error');
    }
    const { reason } = await world.ended(sha, 'storefront');
    assert.match(reason, new RegExp(`contained in the deployed ${newer.slice(0, 7)}`));
  }
  const recovered = () => controller.log.filter(({ msg }) => msg === 'delivery recovered').length;
  await until('the log tells of each', () => recovered() === older.length);
  const { items } = await controller.get<{ items: { sha: string }[] }>('/environments');
  assert.deepEqual(
    items.map(({ sha }) => sha),
    specs.map(() => newer),
  );
});
