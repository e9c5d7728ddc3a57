import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { MainsheetError } from '../../src/lib/errors.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { newStore } from '../support/new-store.ts';
import { storeContract } from './contract.ts';
import { sampleDelivery, sampleRun, sampleStatus } from './samples.ts';

let directory = '';
let files = 0;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-store-'));
});

after(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A file that is not there yet, in a directory that is not there yet. */
function newFile(): string {
  files += 1;
  return join(directory, `${files}`, 'mainsheet.db');
}

storeContract('SQLite', () => newStore(join(directory, `${(files += 1)}.db`)));

test('a store that is closed and opened again has kept everything', async () => {
  const file = newFile();
  const first = await createStore(openSqlite(file));
  await first.accept(sampleDelivery('d1'));
  await first.runs.insert(sampleRun('r1'), ['Build']);
  await first.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1000);
  await first.close();

  const second = await createStore(openSqlite(file));
  assert.equal((await second.inbox.get('d1'))?.payload, '{"delivery":"d1"}');
  assert.equal((await second.steps.ofRun('r1')).length, 1);
  assert.equal((await second.outbox.ofRun('r1')).length, 1);
  assert.equal(await second.accept(sampleDelivery('d1')), false);
  await second.close();
});

test('what is bound to a statement is nothing that SQLite prepares it again for: no parameter stands alone', async () => {
  const db = openSqlite(newFile());
  assert.equal(sql`select ${'a'} limit ${1}`.compile(db).sql, 'select +? limit +?');
  const { rows } = await sql`select ${null} as a, ${'b'} as b, ${1} as c`.execute(db);
  assert.deepEqual(rows, [{ a: null, b: 'b', c: 1 }]);
  await db.destroy();
});

test('numbers of rows that are gone are not given out again', async () => {
  const db = openSqlite(newFile());
  const store = await createStore(db);
  const first = await store.runs.insert(sampleRun('r1'), []);
  await db.deleteFrom('runs').execute();
  const second = await store.runs.insert(sampleRun('r2'), []);
  assert.ok(first && second && second.sequence > first.sequence);
  await store.close();
});

test('a new file has pages of 8 KB, and gives back what is removed', async () => {
  const db = openSqlite(newFile());
  const { rows } = await sql`select * from pragma_page_size, pragma_auto_vacuum`.execute(db);
  assert.deepEqual(rows, [{ page_size: 8192, auto_vacuum: 2 }]);
  await db.destroy();
});

test('only the owner can read the file, its log, or the directory', async () => {
  const file = newFile();
  const store = await createStore(openSqlite(file));
  await store.accept(sampleDelivery('d1'));
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  assert.equal(await mode(file), '600');
  assert.equal(await mode(`${file}-wal`), '600');
  assert.equal(await mode(`${file}-shm`), '600');
  assert.equal(await mode(join(file, '..')), '700');
  await store.close();
});

test('commits stand in a log that the barrier flushes, and checkpoints flush by themselves', async () => {
  const db = openSqlite(newFile());
  const pragma = async (name: string) =>
    Object.values(
      (await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(db)).rows[0] ?? {},
    )[0];
  assert.equal(await pragma('journal_mode'), 'wal');
  assert.equal(await pragma('synchronous'), 1);
  await db.destroy();
});

test('a file that cannot be a database is refused with what to do', async () => {
  const file = join(directory, 'not-a-database.db');
  await writeFile(file, 'This is a letter and not a database.'.repeat(100));
  assert.throws(
    () => openSqlite(file),
    (error: unknown) =>
      error instanceof MainsheetError &&
      error.code === 'store-unavailable' &&
      /move that file out of the way/.test(error.hint ?? '') &&
      error.message.includes(file),
  );
});

test('a file that is damaged, or another program’s database, is refused with what to do', async () => {
  const file = newFile();
  await (await createStore(openSqlite(file))).close();
  const whole = await readFile(file);
  await writeFile(file, Buffer.concat([whole.subarray(0, 100), Buffer.alloc(8000, 1)]));
  const damaged = async () => {
    const db = openSqlite(file);
    try {
      await createStore(db);
    } finally {
      await db.destroy();
    }
  };
  await assert.rejects(damaged, { hint: /put a backup in its place/ });

  const other = openSqlite(newFile());
  await sql`create table runs (own text)`.execute(other);
  await assert.rejects(createStore(other), { hint: /another program/ });
  await other.destroy();
});
