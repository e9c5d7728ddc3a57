import { sql, type Kysely } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, Migrator, type Migration } from 'kysely/migration';
import { MainsheetError, RetryableError } from '../lib/errors.ts';
import { isNoDatabase, type Engine } from './engine.ts';
import { first } from './migrations/0001-first.ts';
import { recovery } from './migrations/0002-recovery.ts';
import { outboxPriority } from './migrations/0003-outbox-priority.ts';
import { pauses } from './migrations/0004-pauses.ts';
import { retention } from './migrations/0005-retention.ts';
import { leases } from './migrations/0006-leases.ts';
import { copies } from './migrations/0007-copies.ts';
import { toldPushes } from './migrations/0008-told-pushes.ts';
import { repositories } from './migrations/0010-repositories.ts';
import { maskedOutputs } from './migrations/0012-masked-outputs.ts';
import { schemaVersion } from './migrations/0013-schema-version.ts';
import { checkAlone, declareSchema, isBearable } from './schema-version.ts';

/** A step from one schema to the next. `breaks`: a Mainsheet that does not know it cannot work on a database that has it. */
export interface SchemaChange extends Migration {
  breaks?: true;
}

/**
 * Brings the database to the newest schema; a no-op when it is there already, or when a newer Mainsheet has brought it
 * further and declared that this one can bear it. Kysely takes a lock, so several processes may start at once. Throws
 * MainsheetError `migration-failed` and leaves the failed step undone, `database-newer`, and `older-at-work`;
 * RetryableError `store-away` while PostgreSQL cannot be reached.
 */
export async function migrate(
  db: Kysely<unknown>,
  engine: Engine,
  changes: Record<string, SchemaChange> = migrations(engine),
): Promise<void> {
  const state = await migrationState(db, engine, changes);
  if (state.unknown.length > 0) return checkUnknown(state);
  const breaking = state.pending.filter((name) => changes[name]?.breaks === true);
  if (breaking.length > 0 && !state.isEmpty) await checkAlone(db, engine, breaking.join(', '));
  if (state.pending.length > 0) await migrateToLatest(db, engine, changes);
  const names = Object.keys(changes);
  const newest = names.at(-1) ?? '';
  const needs = names.findLast((name) => changes[name]?.breaks === true) ?? names[0] ?? '';
  await declareSchema(db, { newest, needs });
}

function checkUnknown({ unknown, isBorne }: MigrationState): void {
  if (isBorne) return;
  throw new MainsheetError(
    'database-newer',
    `a newer Mainsheet has changed the database (${unknown.join(', ')}), and this one cannot work on it`,
    { hint: 'start the newer version, or restore a backup that was made before it' },
  );
}

async function migrateToLatest(
  db: Kysely<unknown>,
  engine: Engine,
  changes: Record<string, SchemaChange>,
): Promise<void> {
  const { error, results } = await db.connection().execute(async (connection) => {
    // Waiting for another process's migration, and a migration of many rows, may take longer than any other statement.
    if (engine === 'postgres') await sql`set statement_timeout = 0`.execute(connection);
    const migrator = new Migrator({
      db: connection,
      provider: { getMigrations: async () => changes },
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
      hint: migrationHint(error),
    });
  }
}

function migrationHint(error: unknown): string {
  if (isNoDatabase(error)) return 'the file is damaged: put a backup in its place';
  // https://www.postgresql.org/docs/current/errcodes-appendix.html: insufficient_privilege
  if (error instanceof Error && 'code' in error && error.code === '42501') {
    return 'give the user of DATABASE_URL the right CREATE on the schema, or make it the owner of the database';
  }
  return 'the database is as it was: was it changed by hand, or by another program?';
}

/** What a database lacks, and what it has that this Mainsheet does not know. */
interface MigrationState {
  pending: string[];
  unknown: string[];
  /** What is unknown was declared to be no hindrance. */
  isBorne: boolean;
  isEmpty: boolean;
}

/** Compares a database with the migrations of this Mainsheet. Changes nothing. */
export async function migrationState(
  db: Kysely<unknown>,
  engine: Engine,
  changes: Record<string, SchemaChange> = migrations(engine),
): Promise<MigrationState> {
  const known = Object.keys(changes);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  const isEmpty = !tables.some(({ name }) => name === DEFAULT_MIGRATION_TABLE);
  const rows = isEmpty
    ? []
    : (
        await sql<{ name: string }>`
          select name from ${sql.table(DEFAULT_MIGRATION_TABLE)} order by name`.execute(db)
      ).rows;
  const done = rows.map(({ name }) => name);
  const pending = known.filter((name) => !done.includes(name));
  const unknown = done.filter((name) => !known.includes(name));
  const isBorne =
    unknown.length > 0 &&
    pending.length === 0 &&
    (await isBearable(db, known, unknown.at(-1) ?? ''));
  return { pending, unknown, isBorne, isEmpty };
}

/**
 * Never edit a migration that has been released: add one. An older Mainsheet should bear it, so that replicas can be updated
 * one by one: new tables, and new columns that may be null or have a default. Where that cannot be, it says `breaks`.
 */
export function migrations(engine: Engine): Record<string, SchemaChange> {
  return {
    '0001-first': { up: (db) => first(db, engine) },
    '0002-recovery': { up: (db) => recovery(db, engine) },
    '0003-outbox-priority': { up: (db) => outboxPriority(db, engine) },
    '0004-pauses': { up: pauses },
    '0005-retention': { up: retention },
    '0006-leases': { up: leases },
    '0007-copies': { up: copies },
    '0008-told-pushes': { up: toldPushes },
    '0010-repositories': { up: repositories },
    '0012-masked-outputs': { up: maskedOutputs },
    '0013-schema-version': { up: schemaVersion },
  };
}
