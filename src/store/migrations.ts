import { sql, type Kysely } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, Migrator, type Migration } from 'kysely/migration';
import { MainsheetError, RetryableError } from '../lib/errors.ts';
import type { Engine } from './engine.ts';
import { first } from './migrations/0001-first.ts';
import { recovery } from './migrations/0002-recovery.ts';
import { outboxPriority } from './migrations/0003-outbox-priority.ts';
import { pauses } from './migrations/0004-pauses.ts';
import { retention } from './migrations/0005-retention.ts';
import { leases } from './migrations/0006-leases.ts';
import { copies } from './migrations/0007-copies.ts';
import { maskedOutputs } from './migrations/0012-masked-outputs.ts';

/**
 * Brings the database to the newest schema; a no-op when it is there already. Kysely takes a lock, so several processes
 * may start at once. Throws MainsheetError `migration-failed` and leaves the failed step undone; RetryableError
 * `store-away` while PostgreSQL cannot be reached.
 */
export async function migrate(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const { error, results } = await db.connection().execute(async (connection) => {
    // Waiting for another process's migration, and a migration of many rows, may take longer than any other statement.
    if (engine === 'postgres') await sql`set statement_timeout = 0`.execute(connection);
    const migrator = new Migrator({
      db: connection,
      provider: { getMigrations: async () => migrations(engine) },
    });
    const done = await migrator.migrateToLatest();
    if (engine === 'postgres') await sql`reset statement_timeout`.execute(connection);
    return done;
  });
  if (error instanceof RetryableError) throw error;
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    throw new MainsheetError('migration-failed', `database migration ${failed ?? ''} failed`, {
      cause: error,
      hint: 'was the database written by a newer Mainsheet?',
    });
  }
}

/** Which migrations a database lacks, and which it has that this Mainsheet does not know. Changes nothing. */
export async function migrationState(
  db: Kysely<unknown>,
  engine: Engine,
): Promise<{ pending: string[]; unknown: string[]; isEmpty: boolean }> {
  const known = migrations(engine);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  const isEmpty = !tables.some(({ name }) => name === DEFAULT_MIGRATION_TABLE);
  const rows = isEmpty
    ? []
    : (
        await sql<{ name: string }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(
          db,
        )
      ).rows;
  const done = new Set(rows.map(({ name }) => name));
  return {
    pending: Object.keys(known).filter((name) => !done.has(name)),
    unknown: [...done].filter((name) => !(name in known)),
    isEmpty,
  };
}

/** Never edit a migration that has been released: add one. */
function migrations(engine: Engine): Record<string, Migration> {
  return {
    '0001-first': { up: (db) => first(db, engine) },
    '0002-recovery': { up: (db) => recovery(db, engine) },
    '0003-outbox-priority': { up: (db) => outboxPriority(db, engine) },
    '0004-pauses': { up: pauses },
    '0005-retention': { up: retention },
    '0006-leases': { up: leases },
    '0007-copies': { up: copies },
    '0012-masked-outputs': { up: maskedOutputs },
  };
}
