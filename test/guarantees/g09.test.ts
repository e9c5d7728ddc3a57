import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const CONCURRENCY = 2;
const LANES = ['one', 'two', 'three', 'four', 'five'];
const MIB = 1024 * 1024;

const gated = (lane: string) => `
name: ${lane}
repository: ${SITE}
on: { push: { branches: [all] } }
secrets: [DIRECTORY]
steps:
  - run: |
      echo "+" >> "$DIRECTORY/turns"
      until [ -e "$DIRECTORY/open" ]; do sleep 0.05; done
      echo "-" >> "$DIRECTORY/turns"
`;
const plain = (name: string, step: string) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
steps:
  - ${step}
`;

let world: World;
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-g09-'));
  world = await createWorld({
    specs: {
      'bounds.yaml': [
        ...LANES.map(gated),
        plain('chatty', 'run: head -c 60000000 /dev/zero | tr "\\\\0" x; echo; echo the end'),
        plain('generous', 'run: head -c 3000000 /dev/zero | tr "\\\\0" x > "$MAINSHEET_OUTPUT"'),
        plain('stubborn', '{ run: exit 1, retry: { attempts: 3, backoff: 1ms } }'),
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_DIRECTORY: directory, MAINSHEET_CONCURRENCY: String(CONCURRENCY) },
  });
});
after(async () => {
  await world.close();
  await rm(directory, { recursive: true, force: true });
});

describe('G9 everything is bounded', () => {
  test('bodies: 25 MB and no more', async () => {
    const body = 'x'.repeat(25 * MIB + 1);
    const { status } = await world.forge.deliver('push', body);
    assert.ok(status === 413 || status === 0, `status ${status}`);
    const { items } = await world.controller.get<{ items: unknown[] }>('/deliveries');
    assert.deepEqual(items, []);
  });

  test('concurrency: the rest waits for its turn', async () => {
    await push('all');
    const running = () => world.runs('&state=running');
    await until('as many run as may', async () => (await turns()).length === CONCURRENCY);
    assert.equal((await running()).length, CONCURRENCY);
    await until('the rest waits', async () => {
      const waiting = await world.runs('&state=queued');
      return waiting.length === LANES.length - CONCURRENCY;
    });
    await writeFile(join(directory, 'open'), '');
    await until('all have ended', async () => {
      return (await world.runs('&state=succeeded')).length === LANES.length;
    });
    let atOnce = 0;
    let most = 0;
    for (const line of await turns()) {
      atOnce += line === '+' ? 1 : -1;
      most = Math.max(most, atOnce);
    }
    assert.equal(most, CONCURRENCY);
  });

  test('logs: the beginning and the end of what is too long, and how much is left out', async () => {
    const run = await world.ended(await push('chatty'));
    assert.equal(run.state, 'succeeded', run.reason);
    const log = await world.log(run.id);
    assert.ok(log.length < 11 * MIB, `${log.length} characters`);
    assert.ok(/of output left out: the log is limited to 10\.0 MiB/.test(log), log.slice(-200));
    assert.match(log.slice(-200), /the end/);
  });

  test('outputs: a step that puts out too much fails and says so', async () => {
    const run = await world.ended(await push('generous'));
    assert.equal(run.state, 'failed');
    assert.match(run.reason, /MAINSHEET_OUTPUT|output/i);
  });

  test('retries: as many as the spec says', async () => {
    const run = await world.ended(await push('stubborn'));
    assert.equal(run.state, 'failed');
    const { steps } = await world.controller.get<{ steps: { attempts: number }[] }>(
      `/runs/${run.id}`,
    );
    assert.deepEqual(
      steps.map(({ attempts }) => attempts),
      [3],
    );
  });
});

async function turns(): Promise<string[]> {
  const text = await readFile(join(directory, 'turns'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

async function push(branch: string): Promise<string> {
  const sha = await world.sample.commit({ message: branch, branch });
  await world.sample.push(branch);
  return sha;
}
