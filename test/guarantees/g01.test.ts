import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import SQLite from 'better-sqlite3';
import { Client } from 'pg';
import { usePostgres } from '../support/postgres.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: any
repository: ${SITE}
on: { push: { branches: [never] } }
steps: [{ run: 'true' }]
`;
const DELIVERIES = 40;

/** A reader in another process than the controller's: it sees what is committed, and nothing else. */
interface Reader {
  has(id: string): Promise<boolean> | boolean;
  /** Keeps everybody from writing until the function that it resolves with is called. */
  lock(): Promise<() => Promise<void>>;
}

describe('G1 no 2xx before the commit is on disk', () => {
  test('with SQLite', async (t) => {
    const world = await createWorld({ specs: { 'any.yaml': SPEC } });
    t.after(() => world.close());
    const file = join(world.controller.dataDir, 'mainsheet.db');
    const reader = new SQLite(file, { fileMustExist: true });
    t.after(() => reader.close());
    const find = reader.prepare('select 1 from deliveries where id = ?');
    await proveIntake(world, {
      has: (id) => find.get(id) !== undefined,
      async lock() {
        reader.exec('begin immediate');
        return async () => void reader.exec('rollback');
      },
    });
  });

  test('with PostgreSQL', async (t) => {
    const server = await usePostgres();
    const databaseUrl = await server.database();
    const specs = { 'any.yaml': SPEC };
    const world = await createWorld({ specs, env: { DATABASE_URL: databaseUrl } });
    const reader = new Client({ connectionString: databaseUrl });
    t.after(async () => {
      await reader.end();
      await world.close();
      await server.remove();
    });
    await reader.connect();
    await proveIntake(world, {
      async has(id) {
        const { rows } = await reader.query('select 1 from deliveries where id = $1', [id]);
        return rows.length === 1;
      },
      async lock() {
        await reader.query('begin; lock table deliveries in exclusive mode');
        return async () => void (await reader.query('rollback'));
      },
    });
  });
});

async function proveIntake({ forge, sample }: World, reader: Reader): Promise<void> {
  const payload = forge.workflowRun(SITE, { sha: await sample.git('rev-parse', 'HEAD') });
  const missing: string[] = [];
  const deliver = async (id: string) => {
    const { status } = await forge.deliver('workflow_run', payload, { id });
    // Asked at once, with nothing in between that could give a late commit time.
    if (status !== 202 || !(await reader.has(id))) missing.push(`${id}: ${status}`);
  };
  await Promise.all(Array.from({ length: DELIVERIES }, (_, n) => deliver(`together-${n}`)));
  for (let n = 0; n < DELIVERIES; n += 1) await deliver(`alone-${n}`);
  assert.deepEqual(missing, [], 'what was acknowledged is committed at that moment');

  // As long as nothing can be committed nothing is acknowledged, and GitHub is told to come again.
  const unlock = await reader.lock();
  const refused = await forge.deliver('workflow_run', payload, { id: 'while-locked' });
  await unlock();
  assert.equal(refused.status, 503, refused.answer);
  assert.equal((await forge.redeliver('while-locked')).status, 202);
  assert.ok(await reader.has('while-locked'));
}
