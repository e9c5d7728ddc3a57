import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isAlive } from '../steps/support.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

/** What an end may take when nothing has to be waited for: far less than the time-outs of git and GitHub. */
const SOON_MS = 15_000;

const spec = (name: string, run: string) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
secrets: [NOTES]
steps:
  - name: Work
    run: |
      ${run}
`;

let world: World;
let notes: string;
before(async () => {
  notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
  world = await createWorld({
    specs: {
      'all.yaml': [
        spec(
          'deaf',
          `trap '' TERM; echo $$ >> "$NOTES/deaf"; until [ -e "$NOTES/go-on" ]; do sleep 0.05; done`,
        ),
        spec('quick', 'echo quick >> "$NOTES/quick"'),
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_NOTES: notes, MAINSHEET_SHUTDOWN_GRACE: '50ms' },
  });
});
after(async () => {
  await world.close();
  await rm(notes, { recursive: true, force: true });
});

/** Starts it again, on another port, of which the forge has to hear. */
async function restart(): Promise<void> {
  await world.controller.restart();
  const { webhookUrl, secret } = world.controller;
  const publicUrl = 'https://mainsheet.example/webhooks/v1/github';
  world.forge.hook({ url: webhookUrl, secret, publicUrl });
}

async function push(branch: string): Promise<string> {
  const sha = await world.sample.commit({ message: branch, branch });
  await world.sample.push(branch);
  return sha;
}

async function noted(file: string): Promise<string[]> {
  const text = await readFile(join(notes, file), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Asks the controller to stop, and expects it to do so although something hangs. */
async function stopsSoon(): Promise<void> {
  const began = performance.now();
  assert.equal(await world.controller.stop(), 0);
  assert.ok(performance.now() - began < SOON_MS, 'what hangs is not waited for');
}

test('SIGTERM during a checkout hands the run over, and it is checked out and run afterwards', async () => {
  world.forge.faults.next({ path: /\.git\/.*git-upload-pack/ }, 'hang');
  const sha = await push('quick');
  const run = await until('the checkout is under way', async () => {
    const [found] = await world.runs(`&sha=${sha}`);
    return found !== undefined && (await world.log(found.id)).includes('Checking out') && found;
  });
  await stopsSoon();
  assert.ok(
    world.controller.log.some(({ msg, run: id }) => msg === 'run handed over' && id === run.id),
  );
  await restart();
  assert.equal((await world.ended(sha)).state, 'succeeded');
  assert.deepEqual(await noted('quick'), ['quick']);
});

test('SIGTERM while GitHub does not answer a callback keeps it, and it is sent afterwards', async () => {
  world.forge.faults.next({ method: 'POST', path: /\/statuses\// }, 'hang');
  const sha = await push('quick');
  assert.equal((await world.ended(sha)).state, 'succeeded');
  await until('the callback is under way', async () => {
    const { items } = await world.controller.get<{ items: { attempts: number }[] }>(
      '/outbox?state=pending',
    );
    return items.some(({ attempts }) => attempts > 0);
  });
  await stopsSoon();
  await restart();
  await world.statusOf(sha, 'mainsheet/quick', 'success');
  await world.settled();
});

test('SIGTERM while missed deliveries are looked for does not wait for GitHub', async () => {
  await world.controller.stop();
  world.forge.faults.next({ method: 'GET', path: /\/hooks/ }, 'hang');
  await restart();
  await stopsSoon();
  await restart();
});

test('a step that ignores SIGTERM is killed, and starts again when the run goes on', async () => {
  const sha = await push('deaf');
  const [first = ''] = await until('the step runs', async () => {
    const pids = await noted('deaf');
    return pids.length === 1 && pids;
  });
  await world.controller.stop();
  assert.equal(isAlive(Number(first)), false);
  await writeFile(join(notes, 'go-on'), '');
  await restart();
  assert.equal((await world.ended(sha)).state, 'succeeded');
  assert.equal((await noted('deaf')).length, 2);
  await rm(join(notes, 'go-on'));
});

test('asked twice it ends at once with 130, leaves no step behind, and the run goes on at the next start', async () => {
  await rm(join(notes, 'deaf'), { force: true });
  const sha = await push('deaf');
  const [first = ''] = await until('the step runs', async () => {
    const pids = await noted('deaf');
    return pids.length === 1 && pids;
  });
  const code = world.controller.stop();
  await until('it is stopping', () => world.controller.log.at(-1)?.['msg'] === 'stopping');
  process.kill(world.controller.pid, 'SIGTERM');
  assert.equal(await code, 130);
  await until('the step is gone', () => !isAlive(Number(first)));
  await writeFile(join(notes, 'go-on'), '');
  await restart();
  assert.equal((await world.ended(sha)).state, 'succeeded');
  await world.statusOf(sha, 'mainsheet/deaf', 'success');
  assert.equal((await world.forge.deployments(SITE)).filter((one) => one['sha'] === sha).length, 1);
});
