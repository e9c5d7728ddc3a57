import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
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

test('a run that did not succeed is nothing to roll back to', async () => {
  const broken = await push('broken', { broken: '' });
  assert.equal(broken.state, 'failed');
  const response = await world.controller.post(`/runs/${broken.id}/rollback?to=${broken.id}`);
  assert.equal(response.status, 409);
  assert.equal(((await response.json()) as { code: string }).code, 'nothing-to-roll-back-to');
});
