import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cutPower, POWERED } from '../support/cut-power.ts';
import { startPostgres } from '../support/postgres.ts';
import { openAt } from './open-at.ts';

const CHILD = fileURLToPath(new URL('accepting-child.ts', import.meta.url));
const ROUNDS = 5;
/** The child is killed at one of its first acknowledgements, as many as this. */
const MOST_ACKNOWLEDGED = 150;

test('every acknowledged delivery is there after kill -9 at any moment (G1)', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-kill-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'data', 'mainsheet.db');
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    acknowledged.push(...(await acceptUntilKilled(t, file, round)));
  }
  await checkAllThere(t, file, acknowledged);
});

test('every acknowledged delivery is there after a power cut at any moment (G1)', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-power-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'mainsheet.db');
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const environment = { ...POWERED, MAINSHEET_DATA_DIR: directory };
    acknowledged.push(...(await acceptUntilKilled(t, file, round, undefined, environment)));
    cutPower(directory);
  }
  await checkAllThere(t, file, acknowledged);
});

test('on PostgreSQL too, whether the client is killed or the server crashes (G1)', async (t) => {
  const server = await startPostgres({ durable: true });
  t.after(() => server.remove());
  const url = await server.database();
  const acknowledged: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const crash = round % 2 === 1 ? () => server.crash() : undefined;
    acknowledged.push(...(await acceptUntilKilled(t, url, round, crash)));
    if (crash !== undefined) await server.start();
  }
  await checkAllThere(t, url, acknowledged);
});

async function checkAllThere(t: TestContext, place: string, acknowledged: string[]): Promise<void> {
  const store = await openAt(place);
  t.after(() => store.close());
  const lost: string[] = [];
  for (const id of acknowledged) {
    if ((await store.inbox.get(id)) === undefined) lost.push(id);
  }
  assert.deepEqual(lost, []);
  // The killed process had accepted some that it could not acknowledge any more: they may be there too.
  assert.ok((await store.inbox.countPending()) >= acknowledged.length);
}

/**
 * Everything that the child printed before it was killed, which is every id that was told. With `crash`
 * the server is gone in the child's place, and the child goes with it.
 */
async function acceptUntilKilled(
  t: TestContext,
  place: string,
  round: number,
  crash?: () => Promise<void>,
  environment: NodeJS.ProcessEnv = {},
): Promise<string[]> {
  const killAt = 1 + Math.floor(Math.random() * MOST_ACKNOWLEDGED);
  t.diagnostic(`round ${round}: ended at acknowledgement ${killAt}`);
  const child = spawn(process.execPath, [CHILD, place, `${round}`], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', crash === undefined ? 'inherit' : 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  let crashed: Promise<void> | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.split('\n').length <= killAt) return;
    if (crash === undefined) child.kill('SIGKILL');
    else crashed ??= crash();
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  await crashed;
  assert.deepEqual([code, signal], crash === undefined ? [null, 'SIGKILL'] : [1, null]);
  const ids = printed.split('\n').filter((id) => id !== '');
  assert.ok(ids.length >= killAt);
  return ids;
}
