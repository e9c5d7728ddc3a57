import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { checkPostgres, checkSqlite } from '../../src/commands/doctor-database.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Db } from '../../src/store/query.ts';
import { startPostgres, usePostgres, type Databases } from '../support/postgres.ts';

let directory: string;
let server: Databases;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-doctor-'));
  server = await usePostgres();
});
after(async () => {
  await server.remove();
  await rm(directory, { recursive: true, force: true });
});

const told = (checks: { state: string; detail: string }[]) =>
  checks.map(({ state, detail }) => `${state}: ${detail}`).join('\n');

async function change(db: Db, statement: string): Promise<void> {
  await sql.raw(statement).execute(db);
  await db.destroy();
}
const LAST = 'select max(name) from schema_changes';

for (const engine of ['SQLite', 'PostgreSQL'] as const) {
  test(`the tables on ${engine} are new, up to date, behind or ahead`, async () => {
    const file = join(directory, 'state.db');
    const url = await server.database();
    const open = () => (engine === 'SQLite' ? openSqlite(file) : openPostgres(url));
    const checked = async () =>
      told(engine === 'SQLite' ? await checkSqlite(file) : await checkPostgres(url));

    assert.match(await checked(), /^ok: (?:empty; the first start|there is none yet)/m);
    await (await createStore(open())).close();
    assert.match(await checked(), /^ok: its tables are up to date$/m);
    await change(
      open(),
      `update schema_changes set name = '9999-of-tomorrow' where name = (${LAST})`,
    );
    assert.match(
      await checked(),
      /^fail: a newer Mainsheet has changed the database \(9999-of-tomorrow\)/m,
    );
    await change(open(), "delete from schema_changes where name = '9999-of-tomorrow'");
    assert.match(await checked(), /^warn: the next start brings it up to date: \d{4}-/m);
    assert.match(await checked(), /^warn: the next start/m, 'it changes nothing');
  });
}

test('a SQLite file that others may read is told of', async () => {
  const file = join(directory, 'open.db');
  await (await createStore(openSqlite(file))).close();
  assert.doesNotMatch(told(await checkSqlite(file)), /warn/);
  await chmod(file, 0o644);
  assert.match(told(await checkSqlite(file)), /^warn: others could read /m);
});

test('what is no SQLite file is told of', async () => {
  assert.match(told(await checkSqlite(directory)), /^fail: /m);
});

test('a PostgreSQL server that does not write to its disk is told of, and no other', async (t) => {
  const lossy = /^warn: the server may lose or damage everything when its machine crashes$/m;
  assert.match(told(await checkPostgres(await server.database())), lossy);
  const durable = await startPostgres({ durable: true });
  t.after(() => durable.remove());
  assert.doesNotMatch(told(await checkPostgres(await durable.database())), lossy);
});

test('PostgreSQL is reached, new enough, and can be written to', async () => {
  const url = await server.database();
  assert.match(told(await checkPostgres(url)), /^ok: PostgreSQL \d+/m);
  assert.match(
    told(await checkPostgres(url)),
    /^ok: the database mainsheet_\d+ can be written to$/m,
  );

  await server.query('create role reader login');
  const asReader = url.replace('postgres@', 'reader@');
  assert.match(told(await checkPostgres(asReader)), /^fail: no table can be made in the database/m);

  const name = /\/(mainsheet_\d+)/.exec(url)?.[1];
  await server.query(`alter database ${name} set default_transaction_read_only = on`);
  assert.match(told(await checkPostgres(url)), /^fail: the database \S+ can only be read$/m);

  const nowhere = url
    .replace(encodeURIComponent(directory), '')
    .replace(/host=[^&]+/, 'host=%2Fnowhere');
  assert.match(told(await checkPostgres(nowhere)), /^fail: /m);
});
