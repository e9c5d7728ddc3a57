import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import {
  migrate,
  MIGRATIONS,
  migrationState,
  type SchemaChange,
} from '../../src/store/migrations.ts';
import { sampleDelivery } from './samples.ts';

/** What a Mainsheet of tomorrow does to the database, beside what this one does. */
const ADDS: SchemaChange = {
  up: async (db) => void (await sql`alter table runs add column mood text`.execute(db)),
};
const BREAKS: SchemaChange = {
  up: async (db) => void (await sql`alter table runs rename column reason to why`.execute(db)),
  breaks: true,
};

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-schema-'));
  const file = join(directory, 'mainsheet.db');
  t.after(() => rm(directory, { recursive: true, force: true }));
  /** Starts a Mainsheet that knows these changes too, and stops it. */
  async function newer(changes: Record<string, SchemaChange>) {
    const db = openSqlite(file);
    await migrate(db, { ...MIGRATIONS, ...changes });
    await db.destroy();
  }
  /** Starts the Mainsheet of today and stops it. */
  async function today() {
    const db = openSqlite(file);
    try {
      const store = await createStore(db);
      return await store.accept(sampleDelivery('d1'));
    } finally {
      await db.destroy();
    }
  }
  return { file, newer, today };
}

test('a database that a newer Mainsheet has changed in a way that this one bears is worked on by both, in turn', async (t) => {
  const { newer, today } = await setUp(t);
  await newer({ '9001-mood': ADDS });
  assert.equal(await today(), true);
  await newer({ '9001-mood': ADDS, '9002-again': { up: async () => undefined } });
  assert.equal(await today(), false, 'it is there');
});

test('a database that a newer Mainsheet has changed in a way that this one cannot bear is refused and left as it was', async (t) => {
  const { file, newer, today } = await setUp(t);
  assert.equal(await today(), true);
  await newer({ '9001-why': BREAKS, '9002-mood': ADDS });
  await assert.rejects(today(), {
    code: 'database-newer',
    message: /9001-why, 9002-mood/,
    hint: /start the newer version/,
  });
  const db = openSqlite(file);
  const state = await migrationState(db);
  assert.deepEqual(state.unknown, ['9001-why', '9002-mood']);
  await db.destroy();
});

test('a database of which a newer Mainsheet has not said what it needs is refused', async (t) => {
  const { file, today } = await setUp(t);
  await today();
  const db = openSqlite(file);
  await sql`insert into schema_changes (name) values ('9999-future')`.execute(db);
  await db.destroy();
  await assert.rejects(today(), { code: 'database-newer' });
});

test('a database from before the first release is refused and says what to do', async (t) => {
  const { file, today } = await setUp(t);
  const db = openSqlite(file);
  for (const table of ['kysely_migration', 'deliveries']) {
    await sql`create table ${sql.table(table)} (name text)`.execute(db);
  }
  await db.destroy();
  await assert.rejects(today(), { code: 'database-unreleased', hint: /start with an empty one/ });
});
