import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isAlive } from '../steps/support.ts';
import { deafUrl } from '../support/deaf.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

/** What an end may take when nothing has to be waited for: less than the ten seconds that GitHub and the minutes that git is given. */
const SOON_MS = 8000;

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
    recovers: true,
    specs: {
      'all.yaml': [
        spec(
          'deaf',
          `trap '' TERM; echo $$ >> "$NOTES/deaf"; until [ -e "$NOTES/go-on" ]; do sleep 0.05; done`,
        ),
        spec('quick', 'echo quick >> "$NOTES/quick"'),
        `${spec('missed', 'echo "$MAINSHEET_SHA" >> "$NOTES/missed"')}concurrency: { queue: all }\n`,
        spec('found', 'echo "$MAINSHEET_SHA" >> "$NOTES/found"'),
        spec('slow', 'echo slow >> "$NOTES/slow"; until [ -e "$NOTES/done" ]; do sleep 0.05; done'),
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
async function restart(more: Record<string, string> = {}): Promise<void> {
  await world.controller.restart(more);
  world.hear();
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

test('SIGTERM while git does not answer keeps the delivery, and it is deployed afterwards', async () => {
  world.forge.faults.next({ path: /\.git\/.*git-upload-pack/ }, 'hang');
  const sha = await push('quick');
  await until('git is asked', () => world.forge.faults.left() === 0);
  await stopsSoon();
  await restart();
  assert.equal((await world.ended(sha)).state, 'succeeded');
  assert.deepEqual(await noted('quick'), ['quick']);
});

test('SIGTERM while GitHub does not answer a callback keeps it, and it is sent afterwards', async () => {
  const sha = await push('slow');
  await until('the step runs', async () => (await noted('slow')).length === 1);
  // So that it is the last word that hangs, which nothing later makes up for.
  await world.settled();
  world.forge.faults.next({ method: 'POST', path: /\/statuses\// }, 'hang');
  await writeFile(join(notes, 'done'), '');
  assert.equal((await world.ended(sha)).state, 'succeeded');
  await until('the callback is under way', async () => {
    const { items } = await world.controller.get<{ items: { kind: string; attempts: number }[] }>(
      '/outbox?state=pending',
    );
    return items.some(({ kind, attempts }) => kind === 'status' && attempts > 0);
  });
  await stopsSoon();
  await restart();
  await world.statusOf(sha, 'mainsheet/slow', 'success');
  await world.settled();
});

/** Requests to GitHub's API since `start`, a place in the journal. */
const asked = (start: number, path: RegExp) =>
  world.forge.journal.slice(start).filter((entry) => path.test(entry.path));

test('SIGTERM while GitHub is asked for webhooks or deliveries does not wait for its answer', async () => {
  await world.controller.stop();
  for (const path of [/\/hooks\?/, /\/hooks\/\d+\/deliveries\?/]) {
    const start = world.forge.journal.length;
    world.forge.faults.next({ method: 'GET', path }, 'hang');
    await restart();
    await until('GitHub was asked', () => asked(start, path).length > 0);
    await stopsSoon();
    assert.equal(
      asked(start, path).length,
      1,
      'the answer was not waited for, nor asked for again',
    );
  }
  await restart();
});

test('SIGTERM while missed deliveries are taken in loses none of them and deploys none twice', async () => {
  const list = `/repos/${SITE}/hooks/4711/deliveries?`;
  await world.forge.waitFor((entry) => entry.path.startsWith(list) && entry.status === 200, 30_000);
  await world.controller.stop();
  const missed = [];
  for (let count = 0; count < 3; count += 1) {
    const sha = await push('missed');
    await world.forge.waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);
    missed.push(sha);
  }
  const payload = /\/hooks\/\d+\/deliveries\/\d+$/;
  const start = world.forge.journal.length;
  world.forge.faults.next({ path: payload, after: 1 }, 'hang');
  await restart();
  await until('the second is being read', () => asked(start, payload).length === 2);
  await stopsSoon();
  assert.equal(
    asked(start, payload).length,
    2,
    'the answer was not waited for, nor asked for again',
  );
  await restart();

  for (const sha of missed) assert.equal((await world.ended(sha)).state, 'succeeded');
  assert.deepEqual(await noted('missed'), missed);
  for (const sha of missed) await world.statusOf(sha, 'mainsheet/missed', 'success');
});

test('SIGTERM while branches are looked at, or what was found is fetched, keeps the push for the next look', async () => {
  const looking = { MAINSHEET_RECONCILE_INTERVAL: '200ms', LOG_LEVEL: 'debug' };
  const branches = { path: /\.git\/info\/refs\?service=git-upload-pack/ };
  const { forge, controller } = world;
  const looks = () => controller.log.filter(({ msg }) => msg === 'branches looked at').length;
  // At an address that is not Mainsheet's, so that GitHub's list of deliveries does not tell of it either.
  forge.hook({ url: await deafUrl(), secret: controller.secret });
  await controller.stop();
  await controller.restart(looking);
  await until('it is known where the branches are', () => looks() > 0);

  forge.faults.next(branches, 'hang');
  await until('the branches are being asked for', () => forge.faults.left() === 0);
  const sha = await push('found');
  await stopsSoon();

  // The first is that of the look.
  forge.faults.next({ ...branches, after: 1 }, 'hang');
  await controller.restart(looking);
  await until('what was found is being fetched', () => forge.faults.left() === 0);
  await stopsSoon();
  assert.deepEqual(await noted('found'), []);

  await controller.restart(looking);
  assert.equal((await world.ended(sha)).state, 'succeeded');
  const enough = looks() + 2;
  await until('it is looked at again', () => looks() >= enough);
  assert.deepEqual(await noted('found'), [sha]);
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
  await controller.stop();
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
  const before = world.controller.log.length;
  const code = world.controller.stop();
  const stopping = await world.controller.logged({ msg: 'stopping' }, before);
  assert.match(String(stopping['hint']), /a second signal ends Mainsheet at once/);
  process.kill(world.controller.pid, 'SIGTERM');
  assert.equal(await code, 130);
  await until('the step is gone', () => !isAlive(Number(first)));
  await writeFile(join(notes, 'go-on'), '');
  await restart();
  assert.equal((await world.ended(sha)).state, 'succeeded');
  await world.statusOf(sha, 'mainsheet/deaf', 'success');
  assert.equal((await world.forge.deployments(SITE)).filter((one) => one['sha'] === sha).length, 1);
});
