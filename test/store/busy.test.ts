import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import { systemClock } from '../../src/lib/clock.ts';
import { RetryableError } from '../../src/lib/errors.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { sampleDelivery, sampleRun } from './samples.ts';

/** A store, and a connection of another program on the same file. */
async function setUp(t: TestContext, patienceMs = 20_000) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-busy-'));
  const file = join(directory, 'mainsheet.db');
  const store = await createStore(openSqlite(file, { clock: systemClock, patienceMs }));
  const other = new SQLite(file);
  t.after(async () => {
    other.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { store, other, wal: `${file}-wal` };
}

/** Many turns of the event loop, in which what waits there gets its chance; resolves with the milliseconds of the longest. */
async function turns(): Promise<number> {
  let longest = 0;
  for (let turn = 0; turn < 100; turn += 1) {
    const start = performance.now();
    await nextTurn();
    longest = Math.max(longest, performance.now() - start);
  }
  return longest;
}

test('while another program holds the database reads and everything else go on, and writes follow when it lets go', async (t) => {
  const { store, other } = await setUp(t);
  await store.accept(sampleDelivery('before'));
  other.exec('begin immediate');
  const done: string[] = [];
  // So many are written beside the event loop.
  const many = Array.from({ length: 20 }, (_, index) => `m${index}`);
  const writes = [
    store.accept(sampleDelivery('d1')).then((isNew) => done.push(`accepted ${isNew}`)),
    ...many.map((id) => store.accept(sampleDelivery(id))),
    store.atomically(async (tables) => {
      await tables.runs.insert(sampleRun('r1'), ['Build']);
      done.push('inserted');
    }),
    store.leases.take('watch', 'me', 2000, 1000).then((isMine) => done.push(`taken ${isMine}`)),
  ];
  assert.ok((await turns()) < 10_000, 'nothing waits in the thread of the event loop');
  assert.ok(await store.inbox.get('before'));
  assert.deepEqual(done, []);
  other.exec('commit');
  await Promise.all(writes);
  assert.deepEqual(new Set(done), new Set(['accepted true', 'inserted', 'taken true']));
  assert.ok(await store.runs.get('r1'));
});

test('what waited for too long says who is in the way, and nothing of it is there', async (t) => {
  const { store, other } = await setUp(t, 50);
  other.exec('begin immediate');
  const isAway = (error: unknown) =>
    error instanceof RetryableError &&
    error.code === 'store-away' &&
    /another program holds/.test(error.hint ?? '');
  await assert.rejects(store.accept(sampleDelivery('d1')), isAway);
  await assert.rejects(
    store.atomically((tables) => tables.runs.insert(sampleRun('r1'), [])),
    isAway,
  );
  await assert.rejects(store.ping(), isAway);
  other.exec('commit');
  assert.equal(await store.inbox.get('d1'), undefined);
  assert.equal(await store.runs.get('r1'), undefined);
  assert.equal(await store.accept(sampleDelivery('d1')), true);
});

test('a transaction that reads first keeps what it has read, whatever is written beside it', async (t) => {
  const { store, other } = await setUp(t, 50);
  other.pragma('busy_timeout = 0');
  await store.atomically(async (tables) => {
    assert.equal(await tables.runs.get('r1'), undefined);
    assert.throws(() => other.exec("insert into cursors values ('a', 'b', 1)"), /locked/);
    await tables.runs.insert(sampleRun('r1'), []);
  });
  assert.ok(await store.runs.get('r1'));
});

test('a statement from outside waits until the transaction under way is over', async (t) => {
  const { store } = await setUp(t);
  let outside: Promise<unknown> = Promise.resolve();
  await assert.rejects(
    store.atomically(async (tables) => {
      await tables.runs.insert(sampleRun('r1'), []);
      outside = store.leases.take('watch', 'me', 2000, 1000);
      await turns();
      throw new Error('not after all');
    }),
    /not after all/,
  );
  assert.equal(await outside, true);
  assert.equal(await store.leases.take('watch', 'another', 2000, 1000), false, 'it was kept');
});

test('the log that grew while a program read for long is cut back when it has ended', async (t) => {
  const { store, other, wal } = await setUp(t);
  const payload = 'x'.repeat(4_000_000);
  other.exec('begin');
  other.prepare('select count(*) from deliveries').get();
  for (let index = 0; index < 15; index += 1) {
    await store.accept(sampleDelivery(`d${index}`, { payload }));
  }
  assert.ok((await stat(wal)).size > 60_000_000, 'it grows');
  other.exec('commit');
  // The first writes what the log holds into the file, the next begins the log again.
  for (const id of ['e1', 'e2', 'e3']) await store.accept(sampleDelivery(id));
  assert.ok((await stat(wal)).size <= 16 * 1024 * 1024);
});
