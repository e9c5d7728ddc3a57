import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { deafUrl } from '../support/deaf.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
after-rollback: continue
steps: [{ run: 'test ! -e broken' }]
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'storefront.yaml': SPEC } });
});
after(() => world.close());

async function push(message: string, files: Record<string, string> = {}) {
  const sha = await world.sample.commit({ message, files });
  await world.sample.push('main');
  return await world.ended(sha);
}

/** Pushes a commit whose delivery does not arrive; `deliver` makes it arrive. */
async function pushUnheard(message: string) {
  const { forge, sample, controller } = world;
  forge.hook({ url: await deafUrl(), secret: controller.secret });
  const sha = await sample.commit({ message });
  await sample.push('main');
  const { id } = await forge.waitForDelivery(
    ({ body }) => body.includes(`"after":"${sha}"`),
    30_000,
  );
  forge.hook({ url: controller.webhookUrl, secret: controller.secret });
  return { sha, deliver: () => forge.redeliver(id) };
}

const deployed = async () => {
  const { items } = await world.controller.get<{ items: { sha: string }[] }>('/environments');
  return items[0]?.sha;
};

test('a rollback to a named run deploys its revision, and the next push moves forward again', async () => {
  const [one, two, three] = [await push('one'), await push('two'), await push('three')];
  const response = await world.controller.post(`/runs/${three.id}/rollback?to=${one.id}`);
  assert.equal(response.status, 201);
  const { cause, sha } = (await response.json()) as { cause: string; sha: string };
  assert.deepEqual([cause, sha], ['rollback', one.sha]);
  await until('the first is deployed again', async () => (await deployed()) === one.sha);

  const last = await world.controller.post(`/runs/${three.id}/rollback`);
  assert.equal(((await last.json()) as { sha: string }).sha, two.sha);
  await until('the second is deployed again', async () => (await deployed()) === two.sha);

  const four = await push('four');
  assert.equal(four.state, 'succeeded');
  assert.equal(await deployed(), four.sha);
});

test('a delivery that comes after a rollback does not undo it, unless it is newer than all or the head of its branch', async () => {
  const one = await push('to go back to');
  const between = await pushUnheard('between');
  const three = await push('to go back from');
  const response = await world.controller.post(`/specs/storefront/rollback`);
  assert.equal(((await response.json()) as { sha: string }).sha, one.sha);
  await until('it is deployed again', async () => (await deployed()) === one.sha);

  await between.deliver();
  const late = await world.ended(between.sha);
  assert.equal(late.state, 'superseded');
  const why = `Superseded: ${late.sha.slice(0, 7)} is contained in ${three.sha.slice(0, 7)}, from which a rollback went back to the deployed ${one.sha.slice(0, 7)}`;
  assert.equal(late.reason, why);
  assert.equal(await world.statusOf(late.sha, 'mainsheet/storefront', 'error'), why);
  assert.equal(await deployed(), one.sha);

  await world.sample.push(`${between.sha}:refs/heads/main`, { force: true });
  await until('it is deployed as the head', async () => (await deployed()) === between.sha);

  const head = await pushUnheard('head');
  await head.deliver();
  assert.equal((await world.ended(head.sha)).state, 'succeeded');
  assert.equal(await deployed(), head.sha);
});

test('one rollback of a spec after the other goes further back', async () => {
  const [one, two] = [await push('first'), await push('second')];
  await push('third');
  for (const { sha } of [two, one]) {
    assert.equal((await world.controller.post('/specs/storefront/rollback')).status, 201);
    await until('it is deployed again', async () => (await deployed()) === sha);
  }
});

test('a run that did not succeed is nothing to roll back to', async () => {
  const broken = await push('broken', { broken: '' });
  assert.equal(broken.state, 'failed');
  const response = await world.controller.post(`/runs/${broken.id}/rollback?to=${broken.id}`);
  assert.equal(response.status, 409);
  assert.equal(((await response.json()) as { code: string }).code, 'nothing-to-roll-back-to');
});
