import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 's.yaml': `name: s\nrepository: ${SITE}\non: push\nsteps: [{ run: "true" }]\n` },
    env: { GITHUB_WEBHOOK_SECRET: 'the-old-secret\nthe-new-secret' },
  });
});
after(() => world.close());

test('during a rotation deliveries signed with either secret are taken in, and with no other', async () => {
  const answers: number[] = [];
  for (const secret of ['the-old-secret', 'the-new-secret', 'the-next-secret', '']) {
    const { status } = await world.forge.deliver(
      'ping',
      { zen: 'Keep it simple.' },
      { secret: secret || null },
    );
    answers.push(status);
  }
  assert.deepEqual(answers, [202, 202, 401, 401]);
  const { items } = await world.controller.get<{ items: unknown[] }>('/deliveries');
  assert.equal(items.length, 2);
});
