import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RetryableError } from '../../src/lib/errors.ts';
import { barrierOf, createBarrier } from '../../src/store/barrier.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { sampleDelivery } from './samples.ts';

/** A disk whose flushes end when the test says so. */
function slowDisk() {
  const flushes: { end: () => void; fail: (error: Error) => void }[] = [];
  const barrier = createBarrier(
    () => new Promise<void>((end, fail) => void flushes.push({ end, fail })),
  );
  return { flushes, barrier };
}

const settled = (promise: Promise<void>) =>
  Promise.race([promise.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);

test('two flushes may be under way; what is committed meanwhile waits for the next one, and all of it for the same', async () => {
  const { flushes, barrier } = slowDisk();
  const first = barrier();
  const second = barrier();
  const third = barrier();
  const fourth = barrier();
  assert.equal(flushes.length, 2);
  flushes[1]?.end();
  await second;
  assert.equal(await settled(first), false);
  assert.equal(await settled(third), false);
  flushes[0]?.end();
  await first;
  assert.equal(await settled(third), false);
  flushes[2]?.end();
  await Promise.all([third, fourth]);
  assert.equal(flushes.length, 3);
});

test('after a flush that failed nothing is said to be on the disk any more, also not by one that was under way', async () => {
  const { flushes, barrier } = slowDisk();
  const first = barrier();
  const second = barrier();
  const third = barrier();
  flushes[0]?.fail(new Error('EIO'));
  await assert.rejects(first, { code: 'store-lost' });
  flushes[1]?.end();
  await assert.rejects(second, { code: 'store-lost' });
  await assert.rejects(third, { code: 'store-lost' });
  await assert.rejects(barrier(), { code: 'store-lost' });
  assert.equal(flushes.length, 2);
});

test('a database that is away for a moment is asked again', async () => {
  const { flushes, barrier } = slowDisk();
  const first = barrier();
  flushes[0]?.fail(new RetryableError('store-away', 'the database cannot be reached'));
  await assert.rejects(first, { code: 'store-away' });
  const second = barrier();
  flushes[1]?.end();
  await second;
});

test('a log that cannot be opened for a moment is no disk that failed: the next delivery is taken', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-barrier-'));
  const file = join(directory, 'mainsheet.db');
  const store = await createStore(openSqlite(file));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  await rename(`${file}-wal`, `${file}-away`);
  await assert.rejects(store.accept(sampleDelivery('d1')), { code: 'store-away' });
  await rename(`${file}-away`, `${file}-wal`);
  assert.equal(await store.accept(sampleDelivery('d2')), true);
});

test('all flushes are of the log as it was opened for the first, and one of a log that is away fails', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-barrier-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'mainsheet.db');
  const store = await createStore(openSqlite(file));
  assert.equal(await store.accept(sampleDelivery('d1')), true);
  const opened = await readersOf(`${file}-wal`);
  assert.equal(opened.length, 1);
  await rename(`${file}-wal`, `${file}-away`);
  await assert.rejects(store.accept(sampleDelivery('d2')), { code: 'store-away' });
  await rename(`${file}-away`, `${file}-wal`);
  assert.equal(await store.accept(sampleDelivery('d3')), true);
  assert.deepEqual(await readersOf(`${file}-wal`), opened);
  await store.close();
  assert.deepEqual(await readersOf(`${file}-wal`), []);
});

/** The descriptors of this process that can only read a file; SQLite's own can write it. */
async function readersOf(file: string): Promise<string[]> {
  const found: string[] = [];
  for (const descriptor of await readdir('/proc/self/fd')) {
    // The one of the list itself is gone.
    const path = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
    if (path.replace(/ \(deleted\)$/, '') !== file) continue;
    const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8');
    if (/^flags:\s+[0-7]*[04]$/m.test(info)) found.push(descriptor);
  }
  return found;
}

test('what was committed for sure is flushed while a transaction is under way; what may be is found out after it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-barrier-'));
  const db = openSqlite(join(directory, 'mainsheet.db'));
  const store = await createStore(db);
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  const { committed, flushed, close } = barrierOf(db, 'sqlite');
  t.after(close);
  await store.lazily(({ cursors }) => cursors.set('a', '1', 1));
  await flushed();
  let perhaps = Promise.resolve();
  await store.lazily(async ({ cursors }) => {
    await cursors.set('a', '2', 2);
    await committed();
    perhaps = flushed();
    assert.equal(await settled(perhaps), false);
  });
  await perhaps;
});
