import { globSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/engine.ts';
import { processesOf } from './processes.ts';

/** What a controller that has stopped, with nothing left to do, has left behind. Empty when it is nothing. */
export async function leftovers(dataDir: string): Promise<string[]> {
  const find = (pattern: string) => globSync(pattern, { cwd: dataDir });
  return [
    ...find('scratch/*').map((path) => `scratch directory ${path}`),
    ...find('{mirrors,work}/**/*.lock').map((path) => `lock ${path}`),
    ...find('{mirrors,work}/.*').map((path) => `half made or half removed: ${path}`),
    ...find('mirrors/**/tmp_*').map((path) => `unfinished pack ${path}`),
    ...processesOf(dataDir).map((process) => `process ${process}`),
    ...(await openRows(dataDir)),
  ];
}

/** Leases, and rows that somebody would still have to do something about. */
async function openRows(dataDir: string): Promise<string[]> {
  const db = openSqlite(join(dataDir, 'mainsheet.db'));
  try {
    const deliveries = await db
      .selectFrom('deliveries')
      .select('id')
      .where((eb) => eb.or([eb('state', '=', 'pending'), eb('lease_until', '>', 0)]))
      .execute();
    const callbacks = await db
      .selectFrom('outbox')
      .select('seq')
      .where((eb) => eb.or([eb('state', 'in', ['pending', 'dead']), eb('lease_until', '>', 0)]))
      .execute();
    const runs = await db
      .selectFrom('runs')
      .select('id')
      .where('state', 'in', ['queued', 'blocked', 'running'])
      .execute();
    const steps = await db
      .selectFrom('steps')
      .select('run_id')
      .where('state', 'in', ['pending', 'running'])
      .where('run_id', 'in', (eb) =>
        eb.selectFrom('runs').select('id').where('state', '!=', 'superseded'),
      )
      .execute();
    return [
      ...deliveries.map(({ id }) => `open delivery ${id}`),
      ...callbacks.map(({ seq }) => `open or dead callback ${seq}`),
      ...runs.map(({ id }) => `open run ${id}`),
      ...steps.map((step) => `open step of run ${step.run_id}`),
    ];
  } finally {
    await db.destroy();
  }
}
