import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createWorld, HUB, SITE, type World } from '../support/world.ts';

const SPEC = `
name: site
repository: ${SITE}
on: push
steps: [{ run: 'true' }]
notify: [{ dispatch: { repository: ${HUB}, event-type: deployed, payload: { sha: "\${{ run.sha }}" } } }]
`;
const STATUSES = { method: 'POST', path: /\/statuses\// };
const DISPATCHES = { method: 'POST', path: /\/dispatches$/ };

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'site.yaml': SPEC } });
});
after(() => world.close());

describe('G5 callbacks are sent at least once, in order per target, and a late older one never overwrites a newer', () => {
  test('whatever happens to the first attempts', async () => {
    // The first status fails in every way there is, while the run goes on to its end.
    world.forge.faults.next(STATUSES, { status: 502 });
    world.forge.faults.next(STATUSES, 'reset');
    world.forge.faults.next(STATUSES, 'lost-answer');
    world.forge.faults.next(DISPATCHES, { status: 500 });
    world.forge.faults.next(DISPATCHES, 'reset');
    const sha = await push('In trouble');
    assert.equal((await world.ended(sha)).state, 'succeeded');
    await world.statusOf(sha, 'mainsheet/site', 'success');
    await world.settled();
    await assertTruth(sha);
  });

  test('when the process is killed between its change and its callbacks', async () => {
    // Nothing is heard of the run before the process dies: all of it has to come from what was committed.
    world.forge.faults.next(STATUSES, { status: 503 }, 3);
    world.forge.faults.next(DISPATCHES, { status: 503 }, 3);
    const sha = await push('Killed');
    assert.equal((await world.ended(sha)).state, 'succeeded');
    await world.controller.kill();
    await world.controller.restart();
    await world.statusOf(sha, 'mainsheet/site', 'success');
    await world.settled();
    await assertTruth(sha);
  });
});

async function push(message: string): Promise<string> {
  world.hear();
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  return sha;
}

/** The end stands last on GitHub, nothing came out of order, and the hub has heard of it. */
async function assertTruth(sha: string): Promise<void> {
  const rank = ['pending', 'success'];
  const statuses = (await world.forge.statuses(SITE, sha)).map(({ state }) => state as string);
  const order = statuses.toReversed().map((state) => rank.indexOf(state));
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    `newest first: ${statuses.join()}`,
  );
  assert.equal(statuses[0], 'success');
  const deployments = (await world.forge.deployments(SITE)).filter((one) => one['sha'] === sha);
  assert.equal(deployments.length, 1);
  assert.equal(deployments[0]?.statuses[0]?.['state'], 'success');
  const dispatches = (await world.forge.dispatches(HUB)).filter(
    (one) => (one['client_payload'] as { sha?: string }).sha === sha,
  );
  assert.ok(dispatches.length >= 1);
}
