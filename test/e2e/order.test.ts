import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

/** Each deploy waits for a file, so that the test decides when it ends. */
const spec = (name: string, concurrency: string) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
${concurrency}
env: { GATES: "\${{ spec.environment }}" }
secrets: [GATE_DIR]
steps:
  - name: Deploy
    run: |
      echo "deploying"
      until [ -e "$GATE_DIR/$MAINSHEET_SHA" ]; do sleep 0.05; done
`;

let world: World;
let gates: string;
before(async () => {
  const { mkdtemp } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  gates = await mkdtemp(join(tmpdir(), 'mainsheet-gates-'));
  world = await createWorld({
    specs: {
      'order.yaml': [
        spec('newest', ''),
        spec('every', 'concurrency: { queue: all }'),
        spec('eager', 'concurrency: { cancel-running: true }'),
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_GATE_DIR: gates },
  });
});
after(async () => {
  await world.close();
  const { rm } = await import('node:fs/promises');
  await rm(gates, { recursive: true, force: true });
});

const open = (sha: string) => writeFile(join(gates, sha), '');

async function pushThree(branch: string): Promise<[string, string, string]> {
  const shas: string[] = [];
  for (const message of ['one', 'two', 'three']) {
    const sha = await world.sample.commit({ message, branch });
    await world.sample.push(branch);
    await world.explainedPush(sha);
    if (message === 'one') await isRunning(sha);
    shas.push(sha);
  }
  return shas as [string, string, string];
}

const isRunning = (sha: string) =>
  until('it runs', async () => (await world.runs(`&sha=${sha}&state=running`)).length === 1);

test('of three quick pushes the first and the third deploy and the second is superseded', async () => {
  const [one, two, three] = await pushThree('newest');
  await open(one);
  await isRunning(three);
  await open(three);
  assert.equal((await world.ended(one)).state, 'succeeded');
  assert.equal((await world.ended(two)).state, 'superseded');
  assert.equal((await world.ended(three)).state, 'succeeded');
  await world.statusOf(one, 'mainsheet/newest', 'success');
  await world.statusOf(three, 'mainsheet/newest', 'success');
  const description = await world.statusOf(two, 'mainsheet/newest', 'error');
  assert.match(description, new RegExp(`^Superseded by ${three.slice(0, 7)}`));
  await world.settled();
  const deployment = (await world.forge.deployments(SITE)).find((one_) => one_['sha'] === two);
  assert.equal(deployment?.statuses[0]?.['state'], 'inactive');
});

test('with queue: all every run has its turn, in order', async () => {
  const [one, two, three] = await pushThree('every');
  for (const sha of [one, two, three]) {
    await isRunning(sha);
    assert.equal((await world.runs('&lane=every-production&state=running')).length, 1);
    await open(sha);
    assert.equal((await world.ended(sha)).state, 'succeeded');
  }
});

test('with cancel-running a newer push stops the one that runs', async () => {
  const one = await world.sample.commit({ message: 'one', branch: 'eager' });
  await world.sample.push('eager');
  await isRunning(one);
  const two = await world.sample.commit({ message: 'two', branch: 'eager' });
  await world.sample.push('eager');
  assert.equal((await world.ended(one)).state, 'cancelled');
  await isRunning(two);
  await open(two);
  assert.equal((await world.ended(two)).state, 'succeeded');
});
