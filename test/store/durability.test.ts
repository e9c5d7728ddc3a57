import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';

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

  const store = await createStore(openSqlite(file), 'sqlite');
  t.after(() => store.close());
  const lost: string[] = [];
  for (const id of acknowledged) {
    if ((await store.inbox.get(id)) === undefined) lost.push(id);
  }
  assert.deepEqual(lost, []);
  // The killed process had accepted some that it could not acknowledge any more: they may be there too.
  assert.ok((await store.inbox.countPending()) >= acknowledged.length);
});

/** Everything that the child printed before it was killed, which is every id that somebody was told about. */
async function acceptUntilKilled(t: TestContext, file: string, round: number): Promise<string[]> {
  const killAt = 1 + Math.floor(Math.random() * MOST_ACKNOWLEDGED);
  t.diagnostic(`round ${round}: killed at acknowledgement ${killAt}`);
  const child = spawn(process.execPath, [CHILD, file, `${round}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.split('\n').length > killAt) child.kill('SIGKILL');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.deepEqual([code, signal], [null, 'SIGKILL']);
  const ids = printed.split('\n').filter((id) => id !== '');
  assert.ok(ids.length >= killAt);
  return ids;
}
