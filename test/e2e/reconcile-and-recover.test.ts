import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, SITE } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;

test('what was pushed while the controller was down is deployed once, whether recovered or found', async (t) => {
  const world = await createWorld({
    specs: { 'storefront.yaml': SPEC },
    env: { MAINSHEET_RECONCILE_INTERVAL: '300ms', LOG_LEVEL: 'debug' },
    recovers: true,
  });
  t.after(() => world.close());
  const { controller, sample, forge } = world;
  const told = (sha: string) =>
    forge.waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);
  // From here on it is known where the branch was, and which deliveries are not missed.
  await controller.logged({ msg: 'branches looked at' });
  const before = await sample.commit({ message: 'While up' });
  await sample.push('main');
  await world.ended(before);

  await controller.stop();
  const older = await sample.commit({ message: 'While down, older' });
  await sample.push('main');
  const newest = await sample.commit({ message: 'While down, newest' });
  await sample.push('main');
  const missed = [await told(older), await told(newest)];
  const from = controller.log.length;
  await controller.restart();
  for (const { id } of missed) await world.explained(id);
  assert.equal((await world.ended(newest)).state, 'succeeded');
  await controller.logged({ msg: 'branches looked at' }, from);
  assert.equal((await world.runs(`&sha=${newest}`)).length, 1);
  const { items } = await controller.get<{ items: { sha: string }[] }>('/environments');
  assert.equal(items[0]?.sha, newest);
  for (const { state } of await world.runs(`&sha=${older}`)) {
    assert.ok(['succeeded', 'superseded'].includes(state), state);
  }
});
