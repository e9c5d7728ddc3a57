import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: slow
repository: ${SITE}
on: push
secrets: [NOTES]
steps:
  - name: First
    run: echo first >> "$NOTES/steps"
  - name: Second
    run: |
      echo second >> "$NOTES/steps"
      until [ -e "$NOTES/go-on" ]; do sleep 0.05; done
`;

let world: World;
let notes: string;
before(async () => {
  notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
  world = await createWorld({
    specs: { 'slow.yaml': SPEC },
    env: { MAINSHEET_SECRET_NOTES: notes, MAINSHEET_SHUTDOWN_GRACE: '50ms' },
  });
});
after(async () => {
  await world.close();
  await rm(notes, { recursive: true, force: true });
});

test('SIGTERM hands a run over, and the next process goes on at its first unfinished step', async () => {
  const sha = await world.sample.commit({ message: 'Interrupted' });
  await world.sample.push('main');
  await until('the second step runs', async () => (await stepsRun()).length === 2);

  assert.equal(await world.controller.stop(), 0);
  await writeFile(join(notes, 'go-on'), '');
  await world.controller.restart();

  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(await stepsRun(), ['first', 'second', 'second']);
  await world.statusOf(sha, 'mainsheet/slow', 'success');
  await world.settled();
  assert.equal((await world.forge.deployments(SITE)).length, 1);
});

test(
  'what a library goes on waiting for does not keep the process from ending with 0',
  { timeout: 60_000 },
  async () => {
    await world.controller.stop();
    // Stands for a connection or a timer that nobody has closed: it alone would keep the process for ever.
    const waits = 'data:text/javascript,setInterval(()=>{},1e9)';
    await world.controller.restart({ NODE_OPTIONS: `--import=${waits}` });
    assert.equal(await world.controller.stop(), 0);
    assert.equal(world.controller.log.at(-1)?.['msg'], 'stopped', 'not before all was handed over');
  },
);

async function stepsRun(): Promise<string[]> {
  const text = await readFile(join(notes, 'steps'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}
