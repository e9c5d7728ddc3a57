import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'site.yaml': `
name: site
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: 'cat "$MAINSHEET_EVENT_PATH"' }]
`,
    },
    env: { MAINSHEET_RETENTION_DELIVERIES: '1' },
  });
});
after(() => world.close());

test('a controller removes what is too much by itself, and keeps what its runs need', async () => {
  const deployed = await world.sample.commit({ message: 'Deployed' });
  await world.sample.push('main');
  const first = await world.ended(deployed);
  assert.equal(first.state, 'succeeded');
  const ignored: string[] = [];
  for (const zen of ['one', 'two']) {
    const { id } = await world.forge.deliver('ping', { zen, hook_id: 1 });
    await world.explained(id);
    ignored.push(id);
  }
  await world.settled();

  await world.controller.stop();
  await world.controller.restart();

  const [older = '', newest = ''] = ignored;
  const payload = async (id: string) =>
    (await world.controller.get<{ payload: unknown }>(`/deliveries/${id}`)).payload;
  await until('the older payload is gone', async () => (await payload(older)) === null);
  assert.deepEqual(await payload(newest), { zen: 'two', hook_id: 1 });
  const replay = await world.controller.post(`/deliveries/${older}/replay`);
  assert.equal(replay.status, 409);
  assert.equal(((await replay.json()) as { code: string }).code, 'delivery-forgotten');

  const retry = await world.controller.post(`/runs/${first.id}/retry`);
  assert.equal(retry.status, 201);
  const { id } = (await retry.json()) as { id: string };
  await until('the retry ended', async () => {
    const run = await world.controller.get<{ state: string }>(`/runs/${id}`);
    return run.state === 'succeeded';
  });
  assert.match(await world.log(id), new RegExp(`"after":"${deployed}"`));
});
