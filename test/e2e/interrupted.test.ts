import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isAlive } from '../steps/support.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

/** The second step says in a file who it is, again and again, until the test opens a gate. */
const spec = (name: string, more = '') => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
${more}
secrets: [BOOKS]
steps:
  - name: First
    run: |
      echo first >> "$BOOKS/${name}-first"
      echo from=first >> "$MAINSHEET_OUTPUT"
      mkdir build && echo "built by $$" > build/site
  - name: Deploy
    env: { FROM: "\${{ outputs.from }}" }
    run: |
      cat build/site >> "$BOOKS/${name}-built"
      setsid sh -c 'while sleep 0.02; do echo "daemon $$"; done' >> "$BOOKS/${name}" 2>&1 &
      until [ -e "$BOOKS/${name}-open" ]; do echo "$FROM $$" >> "$BOOKS/${name}"; sleep 0.02; done
`;

let world: World;
let books: string;
before(async () => {
  books = await mkdtemp(join(tmpdir(), 'mainsheet-books-'));
  world = await createWorld({
    specs: { 'all.yaml': [spec('again'), spec('once', 'on-interrupt: fail')].join('---\n') },
    env: { MAINSHEET_SECRET_BOOKS: books },
  });
});
after(async () => {
  await world.close();
  await rm(books, { recursive: true, force: true });
});

const linesOf = async (book: string) =>
  (await readFile(join(books, book), 'utf8').catch(() => '')).trim().split('\n');

/** Who writes into the book, in the order in which they first did. */
const writersOf = async (book: string) =>
  new Set((await linesOf(book)).map((line) => Number(line.split(' ')[1])).filter((pid) => pid > 0));

async function pushAndKill(name: string): Promise<{ sha: string; orphans: number[] }> {
  const sha = await world.sample.commit({ message: name, branch: name });
  await world.sample.push(name);
  await until('the step and its daemon write', async () => (await writersOf(name)).size === 2);
  await world.controller.kill();
  const orphans = [...(await writersOf(name))];
  assert.ok(orphans.every(isAlive), 'the step outlives the controller');
  return { sha, orphans };
}

async function restart(): Promise<void> {
  const { controller, forge } = world;
  await controller.restart();
  forge.hook({ url: controller.webhookUrl, secret: controller.secret });
}

test('the run of a killed controller goes on at the step under way, after its orphans are gone', async () => {
  const { sha, orphans } = await pushAndKill('again');
  await restart();
  assert.ok(!orphans.some(isAlive), 'none is left when the controller is up');
  await until('the step runs again', async () => (await writersOf('again')).size === 4);
  await writeFile(join(books, 'again-open'), '');
  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(run.outputs, { from: 'first' });
  assert.deepEqual(await linesOf('again-first'), ['first'], 'what had succeeded is not done again');
  const built = await linesOf('again-built');
  assert.equal(built.length, 2);
  assert.equal(built[1], built[0], 'what it had made is still there');
  const lines = await linesOf('again');
  const firstNew = lines.findIndex((line) => !orphans.includes(Number(line.split(' ')[1])));
  assert.ok(
    lines.slice(firstNew).every((line) => !orphans.includes(Number(line.split(' ')[1]))),
    'no orphan did anything after the step began again',
  );
  assert.ok(lines.some((line) => line.startsWith('first ')));
  await world.statusOf(sha, 'mainsheet/again', 'success');
});

test('with on-interrupt: fail an interrupted run fails as a fault of Mainsheet, and its orphans are ended', async () => {
  const { sha, orphans } = await pushAndKill('once');
  await restart();
  const run = await world.ended(sha);
  assert.deepEqual([run.state, run.fault], ['failed', 'mainsheet']);
  assert.equal(run.reason, 'interrupted in step "Deploy", and on-interrupt is fail');
  assert.ok(!orphans.some(isAlive));
  assert.equal((await writersOf('once')).size, 2, 'the step did not start again');
  await world.statusOf(sha, 'mainsheet/once', 'error');
});
