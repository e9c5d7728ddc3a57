import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deafUrl } from '../support/deaf.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const spec = (branch: string, more = '') => `
name: ${branch}
repository: ${SITE}
on: { push: { branches: [${branch}] } }
${more}
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'all.yaml': [
        spec('one'),
        spec('every', 'concurrency: { queue: all }'),
        spec('both'),
        spec('back'),
      ].join('---\n'),
    },
    env: { MAINSHEET_RECONCILE_INTERVAL: '300ms', LOG_LEVEL: 'debug' },
  });
  world.forge.hook({ url: await deafUrl(), secret: world.controller.secret });
  for (const branch of ['one', 'every', 'both', 'back']) {
    await world.sample.push(`main:refs/heads/${branch}`);
    await world.sample.git('branch', branch);
  }
  await looked();
  await looked();
});
after(() => world.close());

/** Waits for a look that begins and ends from now on. */
async function looked(): Promise<void> {
  const { log } = world.controller;
  const looks = () => log.filter(({ msg }) => msg === 'branches looked at').length;
  const target = looks() + 2;
  await until('the branches were looked at', () => looks() >= target);
}

/** Pushes while GitHub is in trouble; `deliver` makes the delivery arrive. */
async function pushLate(branch: string, message: string) {
  world.forge.hook({ url: await deafUrl(), secret: world.controller.secret });
  const sha = await world.sample.commit({ message, branch });
  await world.sample.push(branch);
  return { sha, deliver: () => deliver(sha) };
}

/** The late delivery of a push, and what became of it. */
async function deliver(sha: string): Promise<string> {
  const ofPush = ({ body }: { body: string }) => body.includes(`"after":"${sha}"`);
  const { id } = await world.forge.waitForDelivery(ofPush, 30_000);
  world.hear();
  assert.equal((await world.forge.redeliver(id)).status, 202);
  return (await world.explained(id)).summary;
}

const runsOf = async (sha: string, name: string) =>
  (await world.runs(`&sha=${sha}`)).filter((run) => run.spec === name);

for (const branch of ['one', 'every']) {
  test(`pushes that looks have deployed are not deployed again when they are told late (${branch})`, async () => {
    const a = await pushLate(branch, 'A');
    assert.equal((await world.ended(a.sha, branch)).state, 'succeeded');
    const b = await pushLate(branch, 'B');
    assert.equal((await world.ended(b.sha, branch)).state, 'succeeded');
    for (const { deliver: arrive } of [a, b]) {
      assert.match(await arrive(), /^Not deployed again: delivery reconcile-/);
    }
    await world.settled();
    for (const { sha } of [a, b]) {
      assert.equal((await runsOf(sha, branch)).length, 1);
      await world.statusOf(sha, `mainsheet/${branch}`, 'success');
    }
  });
}

test('of two pushes that a look saw as one the first has no run, and the second one', async () => {
  const a = await world.sample.commit({ message: 'A', branch: 'both' });
  const b = await world.sample.commit({ message: 'B', branch: 'both' });
  world.forge.hook({ url: await deafUrl(), secret: world.controller.secret });
  // One after the other, faster than any look.
  await world.sample.push([`${a}:refs/heads/both`]);
  await world.sample.push([`${b}:refs/heads/both`]);
  await world.ended(b, 'both');
  const seenAsOne = (await runsOf(a, 'both')).length === 0;
  const summary = await deliver(a);
  assert.match(summary, seenAsOne ? /^Not deployed: superseded by/ : /^Not deployed again/);
  assert.match(await deliver(b), /^Not deployed again: delivery reconcile-/);
  assert.equal((await runsOf(b, 'both')).length, 1);
});

test('a branch that is forced back is deployed again, also while what looks have found is still to be told', async () => {
  const a = await pushLate('back', 'A');
  await world.ended(a.sha, 'back');
  const b = await pushLate('back', 'B');
  await world.ended(b.sha, 'back');
  world.hear();
  await world.sample.push(`${a.sha}:refs/heads/back`, { force: true });
  await until('it is deployed again', async () => {
    const runs = await runsOf(a.sha, 'back');
    return runs.length === 2 && runs.every(({ state }) => state === 'succeeded');
  });
  for (const { sha } of [b, a]) assert.match(await deliver(sha), /^Not deployed again/);
  assert.equal((await runsOf(a.sha, 'back')).length, 2);
  assert.equal((await runsOf(b.sha, 'back')).length, 1);
});
