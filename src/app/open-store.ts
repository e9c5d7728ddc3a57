import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Failpoint } from '../lib/failpoint.ts';
import type { Logger } from '../lib/logger.ts';
import { openSqlite } from '../store/engine.ts';
import { createStore, type Store } from '../store/index.ts';

/** The store that the configuration names, up to date. Throws MainsheetError when it is not to be had. */
export async function openStore(
  config: Config,
  logger: Logger,
  failpoint: Failpoint,
): Promise<Store> {
  if (config.databaseUrl !== undefined) {
    const { openPostgres } = await import('../store/postgres.ts');
    const db = openPostgres(config.databaseUrl, (reason) =>
      logger.warn(
        {
          reason,
          hint: 'another is opened when it is needed; if this goes on, look at the database',
        },
        'database connection lost',
      ),
    );
    return await createStore(db, failpoint);
  }
  const database = openSqlite(join(config.dataDir, 'mainsheet.db'));
  const store = await createStore(database, failpoint);
  // One process owns a SQLite file, so whatever is claimed was claimed by a process that is gone.
  await store.inbox.releaseAll();
  await store.runs.releaseAll();
  await store.outbox.releaseAll();
  await store.plans.releaseAll();
  await store.leases.releaseAll();
  return store;
}
