import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const CONTEXT = 'mainsheet/shop';

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'gates.yaml': `
name: shop
repository: ${SITE}
on: { push: { branches: [main] } }
gates:
  - approve: { count: 1, not-author: true }
  - window: { deny: ["2020-01-01/2199-12-31"] }
steps: [{ run: echo deployed }]
---
name: late
repository: ${SITE}
on: { push: { branches: [late] } }
gates: [{ approve: { timeout: 1s } }]
steps: [{ run: echo deployed }]
`,
    },
  });
});
after(() => world.close());

async function push(message: string): Promise<RunView & { id: string }> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  await world.explainedPush(sha);
  return await until('the run waits', async () => (await world.runs(`&sha=${sha}`))[0]);
}

/** The command line, against the running controller. */
const mainsheet = (...argv: string[]) =>
  runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });

test('a pushed commit waits at its gates, says so on GitHub, and is deployed once both are open', async () => {
  const { id, sha, state, reason } = await push('first');
  assert.equal(state, 'blocked');
  assert.match(reason, /^Waiting for 1 approval by people who may write .*; Frozen \(2020-01-01/);
  assert.match(await world.statusOf(sha, CONTEXT, 'pending'), /^Waiting for 1 approval/);
  assert.match(
    (await world.explainedPush(sha)).summary,
    /^Not yet deployed: shop waits\. Waiting for/,
  );

  const approved = await mainsheet('approve', id);
  assert.equal(approved.code, 0);
  assert.match(approved.stdout, /is blocked\. Frozen \(2020-01-01/);
  assert.equal(await world.log(id), '', 'no step has begun');
  const refused = await mainsheet('override', id);
  assert.equal(refused.code, 2, 'a reason has to be given');
  assert.equal((await mainsheet('override', id, '--reason', 'fixes the outage')).code, 0);

  assert.equal((await world.ended(sha)).state, 'succeeded');
  assert.match(await world.log(id), /deployed/);
  const view = await world.controller.get<{
    gates: { open: boolean; answers: { by: string; reason: string }[] }[];
  }>(`/runs/${id}`);
  assert.deepEqual(
    view.gates.map(({ open, answers }) => [
      open,
      answers.map(({ by, reason: why }) => `${by} ${why}`),
    ]),
    [
      [true, ['admin ']],
      [true, ['admin fixes the outage']],
    ],
  );
  await world.settled();
  const [deployment] = await world.forge.deployments(SITE);
  assert.match(
    JSON.stringify(deployment?.statuses[0]?.['description']),
    /^"Deployed to production .* Window overridden by admin: fixes the outage"$/,
  );
});

test('what was rejected is not deployed, and its status says why', async () => {
  const { id, sha } = await push('second');
  assert.equal((await mainsheet('reject', id, '--reason', 'not today')).code, 0);
  assert.equal((await world.ended(sha)).state, 'cancelled');
  assert.match(await world.statusOf(sha, CONTEXT, 'error'), /Rejected by admin: not today/);
  const late = await mainsheet('approve', id);
  assert.equal(late.code, 3);
  assert.match(late.stderr, /is cancelled: it waits at no gate/);
});

test('those who asked for a run do not approve it where authors do not count', async () => {
  const { delivery, sha } = await push('asked for');
  const replayed = await mainsheet('replay', delivery);
  assert.equal(replayed.code, 0);
  const run = await until('the replay waits', async () =>
    (await world.runs(`&sha=${sha}&state=blocked`)).at(0),
  );
  const refused = await mainsheet('approve', run.id);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /admin may not approve .* asked for the run do not count/);
});

test('what is not approved in time is cancelled by the clock alone', async () => {
  const sha = await world.sample.commit({ message: 'third', branch: 'late' });
  await world.sample.push('late');
  const { state, reason } = await world.ended(sha, 'late');
  assert.equal(state, 'cancelled');
  assert.equal(reason, 'Not approved within 1.0s by people who may write to the repository');
  assert.match(await world.statusOf(sha, 'mainsheet/late', 'error'), /Not approved within 1.0s/);
});
