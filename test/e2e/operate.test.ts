import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

/** Each deploy waits for a file, so that the test decides when it ends. */
const spec = (name: string, lane = name) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
concurrency: { lane: ${lane} }
secrets: [GATE_DIR]
steps: [{ run: 'until [ -e "$GATE_DIR/$MAINSHEET_SHA" ]; do sleep 0.05; done' }]
`;

let world: World;
let gates: string;
before(async () => {
  gates = await mkdtemp(join(tmpdir(), 'mainsheet-gates-'));
  world = await createWorld({
    specs: {
      'operate.yaml': [
        spec('shop'),
        spec('one', 'shared lane'),
        spec('two', 'shared lane'),
        spec('gone'),
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_GATE_DIR: gates },
  });
});
after(async () => {
  await world.close();
  await rm(gates, { recursive: true, force: true });
});

const open = (sha: string) => writeFile(join(gates, sha), '');

async function push(branch: string, message: string): Promise<string> {
  const sha = await world.sample.commit({ message, branch });
  await world.sample.push(branch);
  await world.explainedPush(sha);
  return sha;
}

const inState = (sha: string, state: string) =>
  until(`${sha} is ${state}`, async () => (await world.runs(`&sha=${sha}&state=${state}`))[0]);

/** The command line, against the running controller. */
async function mainsheet(...argv: string[]) {
  return await runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });
}

interface Spec {
  name: string;
  paused: { kind: string; since: string; by: string; reason: string } | null;
}

const specNamed = async (name: string) =>
  (await world.controller.get<{ items: Spec[] }>('/specs')).items.find((one) => one.name === name);

test('a paused spec makes runs that wait, the newest alone; GitHub, explain and the API say why; resume deploys', async () => {
  const runs = await push('shop', 'runs');
  await inState(runs, 'running');
  const response = await world.controller.post('/specs/shop/pause?reason=the%20database%20moves');
  assert.equal(response.status, 200);
  assert.partialDeepStrictEqual(await specNamed('shop'), {
    paused: { kind: 'spec', by: 'loopback', reason: 'the database moves' },
  });
  assert.equal((await specNamed('one'))?.paused, null);

  const older = await push('shop', 'older');
  const newer = await push('shop', 'newer');
  assert.equal((await world.ended(older)).state, 'superseded');
  const waiting = await inState(newer, 'blocked');
  const why = /^Paused by loopback since \S+ \(spec shop\): the database moves$/;
  assert.match(waiting.reason, why);
  assert.match(await world.statusOf(newer, 'mainsheet/shop', 'pending'), why);
  const told = await mainsheet('explain', waiting.delivery);
  assert.match(told.stdout, /blocked: Paused by loopback since \S+ \(spec shop\): the database/);
  assert.match((await world.explained(waiting.delivery)).summary, /^Not yet deployed: shop waits/);
  const metrics = await (await fetch(`${world.controller.url}/metrics`)).text();
  assert.match(metrics, /^mainsheet_paused_specs 1$/m);

  // What ran when the pause began is not touched.
  await open(runs);
  assert.equal((await world.ended(runs)).state, 'succeeded');

  await world.controller.kill();
  await world.controller.restart();
  world.forge.hook({ url: world.controller.webhookUrl, secret: world.controller.secret });
  assert.match((await inState(newer, 'blocked')).reason, why);
  await open(newer);
  const resumed = await world.controller.post('/specs/shop/resume');
  assert.equal(resumed.status, 200);
  const { runs: unblocked } = (await resumed.json()) as { runs: RunView[] };
  assert.deepEqual(
    unblocked.map(({ sha, state }) => [sha, state]),
    [[newer, 'queued']],
  );
  assert.equal((await world.ended(newer)).state, 'succeeded');
  await world.statusOf(newer, 'mainsheet/shop', 'success');
  assert.equal((await specNamed('shop'))?.paused, null);
});

test('a paused lane holds every spec in it; a paused spec does not hold up the others', async () => {
  const paused = await mainsheet('pause', 'shared lane', '--lane', '--reason', 'no room');
  assert.deepEqual(paused, { code: 0, stdout: 'lane shared lane is paused\n', stderr: '' });
  const [one, two] = [await push('one', 'one'), await push('two', 'two')];
  for (const sha of [one, two]) {
    assert.match((await inState(sha, 'blocked')).reason, /\(lane shared lane\): no room$/);
    await open(sha);
  }
  assert.equal((await specNamed('two'))?.paused?.kind, 'lane');

  assert.equal((await mainsheet('pause', 'one')).code, 0);
  const resumed = await mainsheet('resume', 'shared lane', '--lane', '--json');
  assert.equal(resumed.code, 0);
  assert.deepEqual(
    (JSON.parse(resumed.stdout) as { runs: RunView[] }).runs.map(({ sha, state }) => [sha, state]),
    [
      [one, 'blocked'],
      [two, 'queued'],
    ],
  );
  assert.equal((await world.ended(two)).state, 'succeeded');
  assert.match(await world.statusOf(one, 'mainsheet/one', 'pending'), /\(spec one\)$/);
  const listed = await mainsheet('pauses');
  assert.match(listed.stdout, /^KIND +NAME +SINCE +BY +REASON\nspec +one +\S+Z +loopback$/m);
  assert.match((await mainsheet('resume', 'one')).stdout, /^spec one goes on\nrun \w+ of one is/);
  assert.equal((await world.ended(one)).state, 'succeeded');
  assert.deepEqual(await mainsheet('pauses'), {
    code: 0,
    stdout: '',
    stderr: 'nothing is paused\n',
  });
});

test('what cannot be paused or resumed is refused with exit code 3 and what to do', async () => {
  const unknown = await mainsheet('pause', 'shopp');
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /there is no deployment spec shopp\n.*hint:/);
  const idle = await mainsheet('resume', 'shop');
  assert.equal(idle.code, 3);
  assert.match(idle.stderr, /the spec shop is not paused/);
});

test('the pause of a spec outlives the spec: one that comes back is still paused', async () => {
  assert.equal((await mainsheet('pause', 'gone')).code, 0);
  const sha = await push('gone', 'waits');
  await inState(sha, 'blocked');
  const file = join(world.controller.specsDir, 'operate.yaml');
  await writeFile(file, spec('shop'));
  await until('the spec is gone', async () => (await specNamed('gone')) === undefined);
  const { items } = await world.controller.get<{ items: { name: string }[] }>('/pauses');
  assert.deepEqual(
    items.map(({ name }) => name),
    ['gone'],
  );
  await inState(sha, 'blocked');
  await writeFile(file, [spec('shop'), spec('gone')].join('---\n'));
  await until('the spec is back', async () => (await specNamed('gone'))?.paused?.kind === 'spec');
  await open(sha);
  assert.equal((await mainsheet('resume', 'gone')).code, 0);
  assert.equal((await world.ended(sha)).state, 'succeeded');
});
