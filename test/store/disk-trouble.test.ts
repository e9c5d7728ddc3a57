import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CompiledQuery, sql } from 'kysely';
import { RetryableError } from '../../src/lib/errors.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createProbe } from '../../src/store/probe.ts';
import { createStore } from '../../src/store/index.ts';
import { largeQuery } from '../../src/store/writer.ts';
import { sampleDelivery, sampleRun } from './samples.ts';

const LARGE = JSON.stringify({ filler: 'x'.repeat(200_000) });

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-disk-'));
  const file = join(directory, 'mainsheet.db');
  const db = openSqlite(file);
  const store = await createStore(db);
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const allow = async (pages: number) => {
    const pragma = CompiledQuery.raw(`pragma max_page_count = ${pages}`);
    for (const connection of [pragma, largeQuery(pragma)]) await db.executeQuery(connection);
  };
  return {
    store,
    db,
    /** The file may have no more pages than it has: what SQLite finds when the disk is full. */
    fill: () => allow(1),
    makeRoom: () => allow(1_000_000),
  };
}

const isAway = (error: unknown) => error instanceof RetryableError && error.code === 'store-away';

test('on a full disk a whole group is refused, none of it is there, and what was acknowledged before is', async (t) => {
  const { store, fill, makeRoom } = await setUp(t);
  assert.equal(await store.accept(sampleDelivery('before')), true);
  await fill();
  const ids = Array.from({ length: 20 }, (_, index) => `d${index}`);
  const refused = await Promise.allSettled(
    // Some of them alone would have had room.
    ids.map((id, index) =>
      store.accept(sampleDelivery(id, index % 2 === 0 ? { payload: LARGE } : {})),
    ),
  );
  for (const one of refused) assert.ok(one.status === 'rejected' && isAway(one.reason));
  assert.deepEqual([...(await store.inbox.known(['before', ...ids]))], ['before']);

  await makeRoom();
  assert.deepEqual(
    new Set(await Promise.all(ids.map((id) => store.accept(sampleDelivery(id))))),
    new Set([true]),
  );
});

test('a transaction that the full disk cut off says so, leaves nothing behind and does not hinder the next', async (t) => {
  const { store, fill, makeRoom } = await setUp(t);
  await store.accept(sampleDelivery('d1'));
  await fill();
  await assert.rejects(
    store.atomically(async (tables) => {
      await tables.runs.insert(sampleRun('r1'), ['Build']);
      await tables.snapshots.keep({ digest: 'a', name: 'x', file: 'x', text: LARGE }, 1);
    }),
    isAway,
  );
  assert.equal(await store.runs.get('r1'), undefined);
  await makeRoom();
  await store.atomically(async (tables) => {
    await tables.runs.insert(sampleRun('r1'), ['Build']);
  });
  assert.ok(await store.runs.get('r1'));
});

test('a database that cannot be written fails its ping and says why, and reads on', async (t) => {
  const { store, db } = await setUp(t);
  await store.accept(sampleDelivery('d1'));
  await sql`pragma query_only = on`.execute(db);
  await assert.rejects(
    store.ping(),
    (error) => isAway(error) && /SQLITE_READONLY/.test(String(error)),
  );
  await assert.rejects(store.accept(sampleDelivery('d2')), isAway);
  assert.ok(await store.inbox.get('d1'));
  await sql`pragma query_only = off`.execute(db);
  assert.equal(await store.accept(sampleDelivery('d2')), true);
});

test('asking again and again whether it can be written writes to the disk once a second', async (t) => {
  const { db } = await setUp(t);
  let now = 5000;
  const ping = createProbe(db, () => now);
  const writes: string[] = [];
  t.mock.method(Date, 'now', () => now + writes.length);
  for (let times = 0; times < 20; times += 1) {
    await ping();
    const row = await db.selectFrom('store_probe').select('at').executeTakeFirstOrThrow();
    writes.push(String(row.at));
  }
  assert.equal(new Set(writes).size, 1);
  now += 1001;
  await ping();
  const row = await db.selectFrom('store_probe').select('at').executeTakeFirstOrThrow();
  assert.notEqual(String(row.at), writes[0]);
});

test('a mistake in a statement is not taken for a full disk', async (t) => {
  const { store, db } = await setUp(t);
  await assert.rejects(sql`select * from nothing`.execute(db), (error) => !isAway(error));
  await assert.rejects(
    store.accept(sampleDelivery('d1', { payload: null as never })),
    (error) => !isAway(error),
  );
});
