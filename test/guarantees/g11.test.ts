import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const LANES = ['one', 'two', 'three'];
const ROUNDS = 3;
const GRACE_MS = 10_000;

/** Steps write down that they began and that they ended: one that ended is never to begin again. */
const spec = (lane: string) => `
name: ${lane}
repository: ${SITE}
on: { push: { branches: [${lane}] } }
concurrency: { queue: all }
secrets: [JOURNAL]
steps:
${['build', 'deploy']
  .map(
    (step) => `  - name: ${step}
    run: |
      echo "began $MAINSHEET_RUN_ID ${step}" >> "$JOURNAL"
      sleep 0.1
      echo "ended $MAINSHEET_RUN_ID ${step}" >> "$JOURNAL"
`,
  )
  .join('')}`;

let world: World;
let directory: string;
let journal: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-g11-'));
  journal = join(directory, 'journal');
  world = await createWorld({
    specs: { 'lanes.yaml': LANES.map(spec).join('---\n') },
    env: {
      MAINSHEET_SECRET_JOURNAL: journal,
      MAINSHEET_SHUTDOWN_GRACE: `${GRACE_MS}ms`,
      MAINSHEET_CONCURRENCY: '2',
    },
  });
});
after(async () => {
  await world.close();
  await rm(directory, { recursive: true, force: true });
});

test('G11 SIGTERM hands over within its grace period: nothing is lost, nothing runs twice', async () => {
  const shas: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = (await lines()).length;
    for (const lane of LANES) {
      shas.push(await world.sample.commit({ message: `${lane} ${round}`, branch: lane }));
      await world.sample.push(lane);
    }
    await until('all are taken in', async () => {
      const known = new Set((await world.runs()).map(({ sha }) => sha));
      return shas.every((sha) => known.has(sha));
    });
    // In the middle of a step, with others waiting behind it.
    await until('a step has begun', async () => (await lines()).length > before);
    const exit = await Promise.race([world.controller.stop(), tooLate()]);
    assert.equal(exit, 0);
    await world.controller.restart();
    world.hear();
  }

  const ids: string[] = [];
  for (const sha of shas) {
    const run = await world.ended(sha);
    assert.equal(run.state, 'succeeded', run.reason);
    await world.statusOf(sha, `mainsheet/${run.spec}`, 'success');
    ids.push(run.id);
  }
  const expected = ids.flatMap((id) =>
    ['build', 'deploy'].flatMap((step) => [`began ${id} ${step}`, `ended ${id} ${step}`]),
  );
  assert.deepEqual((await lines()).sort(), expected.sort(), 'every step ran once, to its end');
});

async function lines(): Promise<string[]> {
  const text = await readFile(journal, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** A little over the grace period: the rest is for the machine. */
async function tooLate(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, GRACE_MS + 5000).unref());
  return 'it did not stop within its grace period';
}
