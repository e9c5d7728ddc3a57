import { sql } from 'kysely';
import { MainsheetError } from '../lib/errors.ts';
import { isNoDatabase } from './engine.ts';
import { lockUntilEnd } from './locks.ts';
import { engineOf, queries, values, type Db } from './query.ts';
import { schema } from './migrations/0001-schema.ts';

/** A step from one schema to the next. `breaks`: a Mainsheet that does not know it cannot work on a database that has it. */
export interface SchemaChange {
  up(db: Db): Promise<void>;
  breaks?: true;
}

/**
 * Never edit a migration that has been released: add one. An older Mainsheet should bear it, so that replicas can be updated
 * one by one: new tables, and new columns that may be null or have a default. Where that cannot be, it says `breaks`.
 */
export const MIGRATIONS: Readonly<Record<string, SchemaChange>> = {
  '0001-schema': { up: schema },
};

/** Which of them a database has, and whether each breaks: what every older Mainsheet reads that comes after. */
const DONE = sql.table('schema_changes');

/**
 * Brings the database to the newest schema, all of it or nothing; a no-op when it is there already, or when a newer Mainsheet has
 * brought it further and this one can bear that. Several processes may start at once. Throws MainsheetError `migration-failed`,
 * `database-newer`, `database-unreleased` and `older-at-work`; RetryableError `store-away` while PostgreSQL cannot be reached.
 */
export async function migrate(db: Db, changes = MIGRATIONS): Promise<void> {
  let doing = '';
  try {
    if ((await pendingIn(db, changes)).length === 0) return;
    await db.transaction().execute(async (trx) => {
      // A migration of many rows may take longer than any other statement.
      if (engineOf(db) === 'postgres') await sql`set local statement_timeout = 0`.execute(trx);
      await lockUntilEnd(trx, 'schema', '');
      // Another process may have done it meanwhile.
      for (const name of await pendingIn(trx, changes)) {
        doing = name;
        const { up, breaks } = changes[name] as SchemaChange;
        await up(trx);
        const row = { name, breaks: breaks === true ? 1 : 0 };
        await queries(trx).change`insert into ${DONE} ${values([row])}`;
      }
    });
  } catch (error) {
    if (error instanceof MainsheetError) throw error;
    const message = `database migration ${doing} failed`;
    const hint = migrationHint(error);
    throw new MainsheetError('migration-failed', message, { cause: error, hint });
  }
}

/** What is to be done to a database, if it may be. Throws as `migrate`. */
async function pendingIn(db: Db, changes: typeof MIGRATIONS): Promise<string[]> {
  const { pending, unknown, refusal, isEmpty } = await migrationState(db, changes);
  if (refusal !== undefined) throw refusal;
  if (unknown.length > 0) return [];
  const breaking = pending.filter((name) => changes[name]?.breaks === true);
  if (breaking.length > 0 && !isEmpty) await checkAlone(db, breaking.join(', '));
  return pending;
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
  /** Why what is unknown is a hindrance; undefined when there is nothing, or when it breaks nothing. */
  refusal: MainsheetError | undefined;
  isEmpty: boolean;
}

/** Compares a database with the migrations of this Mainsheet. Changes nothing. */
export async function migrationState(db: Db, changes = MIGRATIONS): Promise<MigrationState> {
  const options = { withInternalKyselyTables: true };
  const tables = new Set((await db.introspection.getTables(options)).map(({ name }) => name));
  const isEmpty = !tables.has('schema_changes');
  const done = isEmpty
    ? []
    : await queries(db).all<{ name: string; breaks: number | null }>`
        select name, breaks from ${DONE} order by name`;
  const names = new Set(done.map(({ name }) => name));
  const pending = Object.keys(changes).filter((name) => !names.has(name));
  const others = done.filter(({ name }) => changes[name] === undefined);
  const unknown = others.map(({ name }) => name);
  const isBorne = pending.length === 0 && others.every(({ breaks }) => breaks === 0);
  // What every database had from before the first release.
  const isUnreleased = isEmpty && tables.has('kysely_migration') && tables.has('deliveries');
  const refusal = isUnreleased
    ? new MainsheetError(
        'database-unreleased',
        'a Mainsheet from before the first release has made the database, and this one cannot work on it',
        { hint: 'move it out of the way, and start with an empty one' },
      )
    : unknown.length === 0 || isBorne
      ? undefined
      : new MainsheetError(
          'database-newer',
          `a newer Mainsheet has changed the database (${unknown.join(', ')}), and this one cannot work on it`,
          { hint: 'start the newer version, or restore a backup that was made before it' },
        );
  return { pending, unknown, refusal, isEmpty };
}

/** What a connection is called that every process at work on a PostgreSQL database has, and only one at work. */
const AT_WORK = 'mainsheet at work';

/** Says to other processes that this one works on the database, for as long as the connection lasts. */
export const SAY_AT_WORK = `set application_name = '${AT_WORK}'`;

/** Throws MainsheetError `older-at-work` while any process works on a PostgreSQL database. A SQLite file has one process only. */
async function checkAlone(db: Db, change: string): Promise<void> {
  if (engineOf(db) === 'sqlite') return;
  const isAtWork = await queries(db).isThere`select pid from pg_stat_activity
    where datname = current_database() and application_name = ${AT_WORK}`;
  if (!isAtWork) return;
  throw new MainsheetError(
    'older-at-work',
    `an older Mainsheet works on the database and cannot bear what this one has to change in it (${change})`,
    { hint: 'stop every replica, then start the new version' },
  );
}
