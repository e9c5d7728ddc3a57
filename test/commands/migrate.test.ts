import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';
import { usePostgres, type Databases } from '../support/postgres.ts';
import { runCommand } from './run-command.ts';
import { audited } from '../support/audited.ts';

const ALL = { limit: 200, before: undefined };

let server: Databases;

before(async () => {
  server = await usePostgres();
});

after(async () => {
  await server.remove();
});

/** A data directory with a store in which something of everything has happened. */
async function filled(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-migrate-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const db = openSqlite(join(directory, 'mainsheet.db'));
  const store = await createStore(db);
  for (let index = 0; index < 45; index += 1) {
    await store.accept(sampleDelivery(`d${index}`, { payload: `{"n":${index},"x":"\\u0000☃"}` }));
  }
  await store.inbox.claim(2000, 1_000_000_000);
  const run = await store.runs.insert(sampleRun('r1'), ['Build', 'Smoke']);
  assert.ok(run);
  await store.runs.insert(sampleRun('r2', { lane: 'other' }), []);
  assert.ok(await store.runs.own('r1', 'gone', 1_000_000_000, 2000));
  await store.runs.update({ ...run, state: 'running' }, { state: 'queued' });
  const chunk = { seq: 0, at: 1, step: 0, stream: 'stdout' as const, text: 'ü\n' };
  await store.logs.append('r1', [chunk]);
  await store.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1);
  await store.environments.record(run, 1);
  await store.snapshots.keep({ digest: 'abc', name: 'x', file: 'x', text: 'text' }, 1);
  await store.audit.record({ at: 1, actor: 'admin', action: 'x', subject: 'x', detail: '' });
  // The highest number belongs to a row that is gone.
  await store.runs.insert(sampleRun('r3'), []);
  await db.deleteFrom('runs').where('id', '=', 'r3').execute();
  const seen = await look(store);
  return { directory, store, seen };
}

async function look(store: Awaited<ReturnType<typeof createStore>>) {
  const deliveries = (await store.inbox.list(ALL)).items;
  return {
    deliveries,
    payloads: await Promise.all(
      deliveries.map(async ({ id }) => (await store.inbox.get(id))?.payload),
    ),
    runs: (await store.runs.list(ALL, {})).items,
    steps: await store.steps.ofRun('r1'),
    log: await store.logs.read('r1', -1, 10),
    outbox: (await store.outbox.list(ALL, {})).items,
    environments: await store.environments.list(),
    snapshot: await store.snapshots.get('abc'),
    audit: await audited(store, 10),
  };
}

test('an installation moves to PostgreSQL without loss, and goes on there', async (t) => {
  const { directory, store, seen } = await filled(t);
  await store.close();
  const url = await server.database();
  const env = { MAINSHEET_DATA_DIR: directory, DATABASE_URL: url };
  const ran = await runCommand(['migrate', 'sqlite-to-postgres', '--json'], { env });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /^deliveries: 45 of 45$/m);
  assert.deepEqual(
    (JSON.parse(ran.stdout) as { table: string; rows: number }[]).find(
      ({ table }) => table === 'deliveries',
    ),
    { table: 'deliveries', rows: 45 },
  );

  const moved = await createStore(openPostgres(url));
  t.after(() => moved.close());
  assert.deepEqual(await look(moved), seen);
  assert.equal(await moved.accept(sampleDelivery('d7')), false);
  assert.equal(await moved.accept(sampleDelivery('new')), true);
  assert.ok((await moved.runs.insert(sampleRun('r4'), []))?.sequence === 4);
  assert.equal((await moved.inbox.claim(3000, 100))?.delivery.id, 'd0', 'claims are free again');
  assert.equal((await moved.runs.nextRunnable(3000))?.id, 'r1');

  const again = await runCommand(['migrate', 'sqlite-to-postgres'], { env });
  assert.equal(again.code, 3);
  assert.match(again.stderr, /has rows in audit[\s\S]*empty database/);
});

test('a store that a server has open is not copied', async (t) => {
  const { directory, store } = await filled(t);
  const url = await server.database();
  const env = { MAINSHEET_DATA_DIR: directory, DATABASE_URL: url };
  const ran = await runCommand(['migrate', 'sqlite-to-postgres'], { env });
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /is in use[\s\S]*stop the server first/);
  assert.equal(await store.accept(sampleDelivery('later')), true);
  await store.close();
});

test('without a store or without a target it says what is missing', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-migrate-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const env = { MAINSHEET_DATA_DIR: directory };
  const untargeted = await runCommand(['migrate', 'sqlite-to-postgres'], { env });
  assert.equal(untargeted.code, 2);
  assert.match(untargeted.stderr, /DATABASE_URL is not set/);
  const empty = await runCommand(['migrate', 'sqlite-to-postgres'], {
    env: { ...env, DATABASE_URL: await server.database() },
  });
  assert.equal(empty.code, 3);
  assert.match(empty.stderr, /there is no SQLite store/);
});
