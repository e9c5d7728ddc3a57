import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 's.yaml': `name: s\nrepository: ${SITE}\non: push\nsteps: [{ run: "true" }]\n` },
  });
});
after(() => world.close());

test('a comment that GitHub signed deploys nothing, as whatever content type or event it is sent again', async () => {
  const { sha } = await world.pushUnheard('main', 'Not told of yet');
  const told = world.forge.deliveries.find(({ body }) => body.includes(`"after":"${sha}"`));
  assert.ok(told);
  const form = `payload=${encodeURIComponent(told.body)}`;
  const comment = JSON.stringify({
    action: 'created',
    issue: { number: 1 },
    comment: { body: `x&${form}&` },
    repository: { full_name: SITE },
  });
  const asForm = { 'content-type': 'application/x-www-form-urlencoded' };
  const statuses: number[] = [];
  for (const [event, headers] of [
    ['push', asForm],
    ['push', {}],
    ['release', {}],
    ['workflow_run', {}],
    ['issue_comment', asForm],
  ] as const) {
    statuses.push((await world.forge.deliver(event, comment, { headers })).status);
  }
  assert.deepEqual(statuses, [400, 400, 400, 400, 400]);
  // What GitHub signed as a form is a push all the same.
  assert.equal((await world.forge.deliver('push', told.body, { contentType: 'form' })).status, 202);
  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(
    (await world.runs()).map(({ id }) => id),
    [run.id],
  );
});
