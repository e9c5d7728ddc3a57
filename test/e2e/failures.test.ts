import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

const spec = (name: string, more: string) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
${more}
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'all.yaml': [
        spec(
          'broken',
          'steps: [{ name: Build, run: "echo doing; exit 3" }, { name: Never, run: "true" }]',
        ),
        spec('emoji', 'environment: production 🚀\nsteps: [{ name: 🚢 Ship it, run: "exit 1" }]'),
        spec(
          'half',
          'steps: [{ name: One, run: "echo v=1 >> $MAINSHEET_OUTPUT" }, { name: Two, run: "exit 1" }]',
        ),
        spec('secretless', 'secrets: [NOT_SET]\nsteps: [{ run: "true" }]'),
        spec('slow', 'timeout: 8s\nsteps: [{ name: Hang, run: "sleep 600 & sleep 600" }]'),
        spec(
          'masked',
          'secrets: [TOKEN]\nsteps: [{ name: Leak, run: "echo token is $TOKEN; echo out=$TOKEN >> $MAINSHEET_OUTPUT" }]',
        ),
        spec('waiting', 'steps: [{ name: Wait, run: "echo waiting; sleep 600" }]'),
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_TOKEN: 'hunter2-hunter2' },
  });
});
after(() => world.close());

async function push(branch: string): Promise<string> {
  const sha = await world.sample.commit({ message: branch, branch });
  await world.sample.push(branch);
  return sha;
}

test('a failing step gives failure on the right commit and a Deployment that failed', async () => {
  const sha = await push('broken');
  const run = await world.ended(sha);
  assert.deepEqual([run.state, run.fault], ['failed', 'step']);
  const ended = await world.controller.logged({ msg: 'run ended', run: run.id });
  assert.equal(ended['level'], 'warn', 'who reads warnings only hears of it');
  const description = await world.statusOf(sha, 'mainsheet/broken', 'failure');
  assert.equal(description, 'Failed: Step "Build" failed: exit code 3');
  await world.settled();
  const deployment = (await world.forge.deployments(SITE)).find((one) => one['sha'] === sha);
  assert.equal(deployment?.statuses[0]?.['state'], 'failure');
  const { steps } = await world.controller.get<{ steps: { state: string; exitCode: number }[] }>(
    `/runs/${run.id}`,
  );
  assert.deepEqual(
    steps.map(({ state, exitCode }) => [state, exitCode]),
    [
      ['failed', 3],
      ['skipped', null],
    ],
  );
});

test('names with characters that GitHub’s descriptions do not take still get their status', async () => {
  const sha = await push('emoji');
  const description = await world.statusOf(sha, 'mainsheet/emoji', 'failure');
  assert.equal(description, 'Failed: Step "□ Ship it" failed: exit code 1');
  await world.settled();
  const deployment = (await world.forge.deployments(SITE)).find((one) => one['sha'] === sha);
  assert.equal(deployment?.['environment'], 'production 🚀');
  assert.equal(deployment.statuses[0]?.['state'], 'failure');
});

test('what the steps before a failing one put out is kept', async () => {
  const run = await world.ended(await push('half'));
  assert.equal(run.state, 'failed');
  assert.deepEqual(run.outputs, { v: '1' });
});

test("a fault of Mainsheet's own gives error, with what to do about it", async () => {
  const sha = await push('secretless');
  const run = await world.ended(sha);
  assert.deepEqual([run.state, run.fault], ['failed', 'mainsheet']);
  assert.match(await world.statusOf(sha, 'mainsheet/secretless', 'error'), /NOT_SET/);
});

test('a run that takes too long is stopped and fails', async () => {
  const sha = await push('slow');
  const run = await world.ended(sha);
  assert.equal(run.reason, 'Step "Hang" failed: the run took longer than its 8.0s');
});

test('a secret shows neither in the log nor in the outputs', async () => {
  const run = await world.ended(await push('masked'));
  assert.equal(run.state, 'succeeded');
  assert.match(await world.log(run.id), /token is \*\*\*/);
  assert.deepEqual(run.outputs, { out: '***' });
});

test('a run that is cancelled stops its processes and tells GitHub so', async () => {
  const sha = await push('waiting');
  const [run] = await world
    .runs(`&sha=${sha}`)
    .then((runs) => (runs.length > 0 ? runs : waitForRun(sha)));
  assert.ok(run !== undefined);
  await waitForLog(run.id, /waiting/);
  const response = await world.controller.post(`/runs/${run.id}/cancel`);
  assert.equal(response.status, 202);
  assert.equal((await world.ended(sha)).state, 'cancelled');
  assert.match(await world.statusOf(sha, 'mainsheet/waiting', 'error'), /^Cancelled/);
  const again = await world.controller.post(`/runs/${run.id}/cancel`);
  assert.equal(again.status, 409);
});

async function waitForRun(sha: string) {
  const { until } = await import('../support/until.ts');
  return await until('the run exists', async () => {
    const runs = await world.runs(`&sha=${sha}`);
    return runs.length > 0 && runs;
  });
}

async function waitForLog(run: string, pattern: RegExp) {
  const { until } = await import('../support/until.ts');
  await until(`the log says ${pattern}`, async () => pattern.test(await world.log(run)));
}
