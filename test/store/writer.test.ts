import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import { CompiledQuery } from 'kysely';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { createWriter, largeQuery } from '../../src/store/writer.ts';
import { until } from '../support/until.ts';
import { sampleDelivery } from './samples.ts';

async function newFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-writer-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'mainsheet.db');
}

test('when a large group cannot be stored every one in it hears so, none of it is there, and the next is stored', async (t) => {
  const store = await createStore(openSqlite(await newFile(t)));
  t.after(() => store.close());
  const ids = Array.from({ length: 15 }, (_, index) => `d${index}`);
  const broken = sampleDelivery('broken', { event: null as never });
  const answers = await Promise.allSettled(
    [...ids.map((id) => sampleDelivery(id)), broken].map((one) => store.accept(one)),
  );
  for (const one of answers) {
    assert.ok(one.status === 'rejected' && /NOT NULL/.test(String(one.reason)));
  }
  assert.equal((await store.inbox.known(ids)).size, 0);
  const again = await Promise.all(ids.map((id) => store.accept(sampleDelivery(id))));
  assert.deepEqual(new Set(again), new Set([true]));
});

test('of a large group what was there by its id or its body is not new', async (t) => {
  const store = await createStore(openSqlite(await newFile(t)));
  t.after(() => store.close());
  assert.equal(await store.accept(sampleDelivery('known', { digest: 'same' })), true);
  const group = ['d1', 'known', 'copy', ...Array.from({ length: 12 }, (_, index) => `e${index}`)];
  const answers = await Promise.all(
    group.map((id) => store.accept(sampleDelivery(id, id === 'copy' ? { digest: 'same' } : {}))),
  );
  assert.deepEqual(
    group.filter((_, index) => answers[index] === false),
    ['known', 'copy'],
  );
  assert.equal((await store.inbox.get('copy'))?.delivery.copyOf, 'known');
});

test('what is large waits until the transaction under way is over, and is part of one that it is in', async (t) => {
  const db = openSqlite(await newFile(t));
  const store = await createStore(db);
  t.after(() => store.close());
  const insert = (name: string) =>
    largeQuery(
      CompiledQuery.raw('insert into cursors (name, value, updated_at) values (?, 1, 1)', [name]),
    );
  const order: string[] = [];
  let large: Promise<unknown> = Promise.resolve();
  await store.lazily(async ({ cursors }) => {
    await cursors.set('first', '1', 1);
    large = db.executeQuery(insert('second')).then(() => order.push('large'));
    for (let turn = 0; turn < 100; turn += 1) await nextTurn();
    order.push('inside');
  });
  await large;
  assert.deepEqual(order, ['inside', 'large']);
  assert.equal(await store.cursors.get('second'), '1');
  await assert.rejects(
    db.transaction().execute(async (trx) => {
      await trx.executeQuery(insert('third'));
      throw new Error('not after all');
    }),
    /not after all/,
  );
  assert.equal(await store.cursors.get('third'), undefined);
});

test('large groups are written in a row, but a transaction that waits for its turn comes before the next', async (t) => {
  const store = await createStore(openSqlite(await newFile(t)));
  t.after(() => store.close());
  const groupOf = (name: string) =>
    Array.from({ length: 16 }, (_, index) => store.accept(sampleDelivery(`${name}-${index}`)));
  const seen = async () =>
    await store.lazily(
      async ({ inbox }) => (await inbox.list({ limit: 100, before: undefined })).items.length,
    );
  // The first one finds that nothing waits, so the second may join it.
  const groups = [groupOf('first'), groupOf('second')];
  await nextTurn();
  const between = seen();
  await nextTurn();
  groups.push(groupOf('third'));
  assert.equal(await between, 32);
  assert.deepEqual(new Set(await Promise.all(groups.flat())), new Set([true]));
  assert.equal(await seen(), 48);
});

test('of a statement with several sets of parameters nothing is done when one of them fails, in a transaction or beside it', async (t) => {
  const db = openSqlite(await newFile(t));
  const store = await createStore(db);
  t.after(() => store.close());
  const insert = (...names: (string | null)[]) =>
    largeQuery(
      CompiledQuery.raw('insert into cursors (name, value, updated_at) values (?, 1, 1)'),
      names.map((name) => [name]),
    );
  await assert.rejects(db.executeQuery(insert('first', 'second', 'first')), /UNIQUE/);
  assert.equal(await store.cursors.get('first'), undefined);
  const both = await db.transaction().execute((trx) => trx.executeQuery(insert('first', 'second')));
  assert.deepEqual(both.rows, [1, 1]);
});

test('a thread that could not do its work is started again for the next statement', async (t) => {
  const file = await newFile(t);
  const writer = createWriter(file);
  t.after(() => writer.close());
  const statement = { sql: 'insert into a values (?) on conflict do nothing', sets: [[1], [2]] };
  await assert.rejects(writer.execute(statement), { code: 'store-away' });
  const other = new SQLite(file);
  other.exec('create table a (b unique); insert into a values (1)');
  assert.deepEqual(await writer.execute(statement), [0, 1]);
  other.exec('begin immediate');
  await assert.rejects(writer.execute(statement), {
    code: 'store-away',
    hint: /another program holds/,
  });
  other.close();
});

test('what is written is brought from the log into the file beside the writer, and the log begins again', async (t) => {
  const file = await newFile(t);
  const store = await createStore(openSqlite(file));
  const other = new SQLite(file);
  t.after(async () => {
    other.close();
    await store.close();
  });
  const payload = JSON.stringify({ text: 'x'.repeat(8000) });
  const isInFile = () => {
    const state = other.pragma('wal_checkpoint(NOOP)') as [{ log: number; checkpointed: number }];
    // A few are left over when another connection was reading.
    return state[0].log < 2000 || state[0].log - state[0].checkpointed <= 200;
  };
  // 60 MB, of which each goes into the log and into the file.
  for (let group = 0; group < 30; group += 1) {
    const ids = Array.from({ length: 200 }, (_, index) => `d${group}-${index}`);
    await Promise.all(ids.map((id) => store.accept(sampleDelivery(id, { payload }))));
    await until('what is much in the log is in the file', isInFile);
  }
  assert.ok(statSync(`${file}-wal`).size < 32 * 1024 * 1024);
});
