import { globSync } from 'node:fs';
import { sql } from 'kysely';
import { queries, type Db } from '../../src/store/query.ts';
import { until } from '../support/until.ts';
import { processesOf } from './processes.ts';
import type { ChaosWorld } from './world.ts';

/** What controllers that have stopped, with nothing left to do, have left behind. Empty when it is nothing. */
export async function leftovers(world: ChaosWorld): Promise<string[]> {
  return [
    ...world.controllers.flatMap(({ dataDir }) => leftFiles(dataDir)),
    ...(await openRows(world)),
  ];
}

function leftFiles(dataDir: string): string[] {
  const find = (pattern: string) => globSync(pattern, { cwd: dataDir });
  return [
    ...find('scratch/*').map((path) => `scratch directory ${path}`),
    ...find('{mirrors,work}/**/*.lock').map((path) => `lock ${path}`),
    ...find('{,mirrors/,work/}.*')
      .filter((path) => path !== '.gitignore')
      .map((path) => `half made or half removed: ${path}`),
    ...find('mirrors/**/{tmp_*,.tmp-*,packed-refs.new}').map((path) => `unfinished ${path}`),
    ...processesOf(dataDir).map((process) => `process ${process}`),
  ];
}

/** Locks, leases, and rows about which something is still to be done. */
async function openRows(world: ChaosWorld): Promise<string[]> {
  const db = world.open();
  try {
    const { all } = queries(db);
    const deliveries = await all<{ id: string }>`
      select id from deliveries where state = 'pending' or lease_until > 0`;
    const callbacks = await all<{ seq: number }>`
      select seq from outbox where state in ('pending', 'dead') or lease_until > 0`;
    const runs = await all<{ id: string }>`
      select id from runs where state in ('queued', 'blocked', 'running')`;
    const steps = await all<{ run: string }>`
      select run_id as run from steps where state in ('pending', 'running')`;
    return [
      ...deliveries.map(({ id }) => `open delivery ${id}`),
      ...callbacks.map(({ seq }) => `open or dead callback ${seq}`),
      ...runs.map(({ id }) => `open run ${id}`),
      ...steps.map((step) => `open step of run ${step.run}`),
      ...(world.isPostgres ? await heldOnServer(db) : []),
    ];
  } finally {
    await db.destroy();
  }
}

/** What the dead still hold on the server: locks, and transactions that will never end. It learns of a death a moment later. */
async function heldOnServer(db: Db): Promise<string[]> {
  let held: string[] = [];
  await until('the server has let go', async () => {
    held = await heldNow(db);
    return held.length === 0;
  }).catch(() => undefined);
  return held;
}

async function heldNow(db: Db): Promise<string[]> {
  const { rows } = await sql<{ pid: number; what: string }>`
    select pid, 'advisory lock' as what from pg_locks where locktype = 'advisory'
    union all
    select pid, state as what from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'mainsheet%'
  `.execute(db);
  return rows.map(({ pid, what }) => `on the server, of connection ${pid}: ${what}`);
}
