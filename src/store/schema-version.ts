import { sql, type Kysely } from 'kysely';
import { MainsheetError } from '../lib/errors.ts';
import type { Engine } from './engine.ts';
import type { Database } from './tables.ts';

/** What a connection is called that every process at work on a PostgreSQL database has, and only one at work. */
const AT_WORK = 'mainsheet at work';

/**
 * Writes into the database, for every older Mainsheet that comes after, the newest migration it has and the newest that
 * one has to know to work on it.
 */
export async function declareSchema(
  db: Kysely<unknown>,
  schema: { newest: string; needs: string },
): Promise<void> {
  const declared = await declaration(db);
  if (declared?.newest === schema.newest && declared.needs === schema.needs) return;
  await (db as Kysely<Database>)
    .insertInto('schema_version')
    .values({ id: 1, ...schema })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(schema))
    .execute();
}

/** Whether a Mainsheet that knows only the migrations `known` can work on a database that a newer one has brought to `newest`. */
export async function isBearable(
  db: Kysely<unknown>,
  known: readonly string[],
  newest: string,
): Promise<boolean> {
  const declared = await declaration(db);
  return declared?.newest === newest && known.includes(declared.needs);
}

async function declaration(db: Kysely<unknown>): Promise<Declaration | undefined> {
  return await (db as Kysely<Database>)
    .selectFrom('schema_version')
    .select(['newest', 'needs'])
    .executeTakeFirst();
}

interface Declaration {
  newest: string;
  needs: string;
}

/** Says to other processes that this one works on the database, for as long as the connection lasts. */
export const SAY_AT_WORK = `set application_name = '${AT_WORK}'`;

/**
 * Throws MainsheetError `older-at-work` while any process works on a PostgreSQL database. A SQLite file has one process only.
 * `change` names what would be done to it.
 */
export async function checkAlone(
  db: Kysely<unknown>,
  engine: Engine,
  change: string,
): Promise<void> {
  if (engine === 'sqlite') return;
  const { rows } = await sql`
    select pid from pg_stat_activity
    where datname = current_database() and application_name = ${AT_WORK}`.execute(db);
  if (rows.length === 0) return;
  throw new MainsheetError(
    'older-at-work',
    `an older Mainsheet works on the database and cannot bear what this one has to change in it (${change})`,
    { hint: 'stop every replica, then start the new version' },
  );
}
