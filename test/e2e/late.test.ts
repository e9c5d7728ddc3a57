import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const plain = (branch: string) => `
name: ${branch}
repository: ${SITE}
on: { push: { branches: [${branch}] } }
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;
/** Each deploy waits for a file, so that the test decides when it ends. */
const gated = (branch: string, more = '') => `
name: ${branch}
repository: ${SITE}
on: { push: { branches: [${branch}] } }
${more}
secrets: [GATE_DIR]
steps: [{ run: 'until [ -e "$GATE_DIR/$MAINSHEET_SHA" ]; do sleep 0.05; done' }]
`;

let world: World;
let gates: string;
before(async () => {
  gates = await mkdtemp(join(tmpdir(), 'mainsheet-gates-'));
  world = await createWorld({
    specs: {
      'late.yaml': [
        plain('forced'),
        plain('amended'),
        gated('rewritten'),
        plain('by-hand'),
        gated('gated'),
        gated('eager', 'concurrency: { cancel-running: true }'),
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
  return sha;
}

const isRunning = (sha: string) =>
  until('it runs', async () => (await world.runs(`&sha=${sha}&state=running`)).length === 1);

test('an older push that is delivered while the newer waits does not push it out of the lane', async () => {
  const first = await push('gated', 'first');
  await isRunning(first);
  const older = await world.pushUnheard('gated', 'older');
  const newer = await push('gated', 'newer');
  await world.explainedPush(newer);

  const { id } = await older.deliver();
  const { summary } = await world.explained(id);
  assert.match(summary, new RegExp(`^Not deployed: Superseded by ${newer.slice(0, 7)}`));
  assert.equal((await world.ended(older.sha)).state, 'superseded');
  await open(newer);
  await open(first);
  assert.equal((await world.ended(newer)).state, 'succeeded');
  await world.statusOf(older.sha, 'mainsheet/gated', 'error');
});

test('with cancel-running an older push that is delivered while the newer runs does not stop it', async () => {
  const older = await world.pushUnheard('eager', 'older');
  const newer = await push('eager', 'newer');
  await isRunning(newer);

  await older.deliver();
  const run = await world.ended(older.sha);
  assert.equal(run.state, 'superseded');
  assert.match(run.reason, new RegExp(`^Superseded by ${newer.slice(0, 7)}.* newer and runs$`));
  await open(newer);
  assert.equal((await world.ended(newer)).state, 'succeeded');
});

test('a retry of an old run does not push a newer revision that waits out of the lane', async () => {
  const old = await push('gated', 'old');
  await open(old);
  const { id } = await world.ended(old);
  const busy = await push('gated', 'busy');
  await isRunning(busy);
  const newer = await push('gated', 'waits');
  await world.explainedPush(newer);

  const response = await world.controller.post(`/runs/${id}/retry`);
  assert.equal(response.status, 201);
  const retried = (await response.json()) as { state: string; reason: string };
  assert.equal(retried.state, 'superseded');
  assert.match(retried.reason, new RegExp(newer.slice(0, 7)));
  await open(newer);
  await open(busy);
  assert.equal((await world.ended(newer)).state, 'succeeded');
});

test('a branch that is forced back to an older commit is deployed again', async () => {
  const target = await push('forced', 'target');
  await world.ended(target);
  const mistake = await push('forced', 'mistake');
  await world.ended(mistake);

  await world.sample.push(`${target}:refs/heads/forced`, { force: true });
  await until('the older commit is deployed again', async () => {
    const runs = await world.runs(`&sha=${target}`);
    return runs.length === 2 && runs.every(({ state }) => state === 'succeeded');
  });
});

test('G4: a commit that was amended and forced away is not deployed when its delivery comes late', async () => {
  const base = await push('amended', 'base');
  await world.ended(base);
  const first = await world.pushUnheard('amended', 'first try');
  await world.sample.git('branch', 'amending', base);
  const amended = await world.sample.commit({ message: 'amended', branch: 'amending' });
  await world.sample.push(`${amended}:refs/heads/amended`, { force: true });
  assert.equal((await world.ended(amended)).state, 'succeeded');

  await first.deliver();
  const run = await world.ended(first.sha);
  const [late, now] = [first.sha.slice(0, 7), amended.slice(0, 7)];
  const why = `Superseded: ${late} is no longer on its branch, which has the deployed ${now}`;
  assert.deepEqual([run.state, run.reason], ['superseded', why]);
});

test('nor does it push what it was amended to out of the lane, where that waits', async () => {
  const base = await push('rewritten', 'base');
  await isRunning(base);
  const first = await world.pushUnheard('rewritten', 'first try');
  await world.sample.git('branch', 'rewriting', base);
  const amended = await world.sample.commit({ message: 'amended', branch: 'rewriting' });
  await world.sample.push(`${amended}:refs/heads/rewritten`, { force: true });
  const { specs } = await world.explainedPush(amended);

  await first.deliver();
  const { state, reason } = await world.ended(first.sha);
  const [late, now] = [first.sha.slice(0, 7), amended.slice(0, 7)];
  const waiting = specs.find(({ spec }) => spec === 'rewritten')?.run;
  const why = `Superseded by ${now} (run ${waiting}), since ${late} is no longer on its branch`;
  assert.deepEqual([state, reason], ['superseded', why]);
  await open(amended);
  await open(base);
  assert.equal((await world.ended(amended)).state, 'succeeded');
});

test('a retry and a replay by hand of an older revision are deployed', async () => {
  const older = await push('by-hand', 'older');
  const run = await world.ended(older);
  const newer = await push('by-hand', 'newer');
  await world.ended(newer);
  for (const path of [`/runs/${run.id}/retry`, `/deliveries/${run.delivery}/replay`]) {
    assert.equal((await world.controller.post(path)).status, 201);
  }
  await until('both have ended', async () => {
    const runs = await world.runs(`&sha=${older}`);
    const ended = runs.filter(({ state }) => ['succeeded', 'superseded'].includes(state));
    return (
      ended.length === 3 && ended.some(({ id, state }) => id !== run.id && state === 'succeeded')
    );
  });
});
