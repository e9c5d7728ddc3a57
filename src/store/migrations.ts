import { sql } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, Migrator, type Migration } from 'kysely/migration';
import { MainsheetError, RetryableError } from '../lib/errors.ts';
import { isNoDatabase, type Engine } from './engine.ts';
import { engineOf, queries, type Db } from './query.ts';
import { schema } from './migrations/0001-schema.ts';
import { checkAlone, declareSchema, isBearable } from './schema-version.ts';

/** What every database from before the first release has, and none since: `0001-schema` has become all that was there then. */
const UNRELEASED = '0001-first';

/** A step from one schema to the next. `breaks`: a Mainsheet that does not know it cannot work on a database that has it. */
export interface SchemaChange extends Migration {
  breaks?: true;
}

/**
 * Brings the database to the newest schema; a no-op when it is there already, or when a newer Mainsheet has brought it
 * further and declared that this one can bear it. Kysely takes a lock, so several processes may start at once. Throws
 * MainsheetError `migration-failed` and leaves the failed step undone, `database-newer`, `database-unreleased`, and
 * `older-at-work`; RetryableError `store-away` while PostgreSQL cannot be reached.
 */
export async function migrate(
  db: Db,
  changes: Record<string, SchemaChange> = migrations(engineOf(db)),
): Promise<void> {
  const { pending, unknown, refusal, isEmpty } = await migrationState(db, changes);
  if (refusal !== undefined) throw refusal;
  if (unknown.length > 0) return;
  const breaking = pending.filter((name) => changes[name]?.breaks === true);
  if (breaking.length > 0 && !isEmpty) await checkAlone(db, breaking.join(', '));
  if (pending.length > 0) await migrateToLatest(db, changes);
  const names = Object.keys(changes);
  const newest = names.at(-1) ?? '';
  const needs = names.findLast((name) => changes[name]?.breaks === true) ?? names[0] ?? '';
  await declareSchema(db, { newest, needs });
}

async function migrateToLatest(db: Db, changes: Record<string, SchemaChange>): Promise<void> {
  const isPostgres = engineOf(db) === 'postgres';
  const { error, results } = await db.connection().execute(async (connection) => {
    // Waiting for another process's migration, and a migration of many rows, may take longer than any other statement.
    if (isPostgres) await sql`set statement_timeout = 0`.execute(connection);
    const migrator = new Migrator({
      db: connection,
      provider: { getMigrations: async () => changes },
    });
    const done = await migrator.migrateToLatest();
    if (isPostgres) await sql`reset statement_timeout`.execute(connection);
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
  /** Why what is unknown is a hindrance; undefined when there is nothing, or when it was declared to be none. */
  refusal: MainsheetError | undefined;
  isEmpty: boolean;
}

/** Compares a database with the migrations of this Mainsheet. Changes nothing. */
export async function migrationState(
  db: Db,
  changes: Record<string, SchemaChange> = migrations(engineOf(db)),
): Promise<MigrationState> {
  const known = Object.keys(changes);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  const isEmpty = !tables.some(({ name }) => name === DEFAULT_MIGRATION_TABLE);
  const done = isEmpty
    ? []
    : await queries(db)
        .column<string>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)} order by name`;
  const pending = known.filter((name) => !done.includes(name));
  const unknown = done.filter((name) => !known.includes(name));
  return { pending, unknown, refusal: await refusalOf(), isEmpty };

  async function refusalOf(): Promise<MainsheetError | undefined> {
    if (unknown.length === 0) return undefined;
    if (unknown.includes(UNRELEASED)) {
      return new MainsheetError(
        'database-unreleased',
        'a Mainsheet from before the first release has made the database, and this one cannot work on it',
        { hint: 'move it out of the way, and start with an empty one' },
      );
    }
    if (pending.length === 0 && (await isBearable(db, known, unknown.at(-1) ?? '')))
      return undefined;
    return new MainsheetError(
      'database-newer',
      `a newer Mainsheet has changed the database (${unknown.join(', ')}), and this one cannot work on it`,
      { hint: 'start the newer version, or restore a backup that was made before it' },
    );
  }
}

/**
 * Never edit a migration that has been released: add one. An older Mainsheet should bear it, so that replicas can be updated
 * one by one: new tables, and new columns that may be null or have a default. Where that cannot be, it says `breaks`.
 */
export function migrations(engine: Engine): Record<string, SchemaChange> {
  return {
    '0001-schema': { up: (db) => schema(db, engine) },
  };
}
