import { MainsheetError } from '../lib/errors.ts';
import { engineOf, inPlace, queries, type Db } from './query.ts';

/** What a connection is called that every process at work on a PostgreSQL database has, and only one at work. */
const AT_WORK = 'mainsheet at work';

/**
 * Writes into the database, for every older Mainsheet that comes after, the newest migration it has and the newest that
 * one has to know to work on it.
 */
export async function declareSchema(db: Db, schema: Declaration): Promise<void> {
  const declared = await declaration(db);
  if (declared?.newest === schema.newest && declared.needs === schema.needs) return;
  await queries(db).change`insert into schema_version ${inPlace(['id'], [{ id: 1, ...schema }])}`;
}

/** Whether a Mainsheet that knows only the migrations `known` can work on a database that a newer one has brought to `newest`. */
export async function isBearable(
  db: Db,
  known: readonly string[],
  newest: string,
): Promise<boolean> {
  const declared = await declaration(db);
  return declared?.newest === newest && known.includes(declared.needs);
}

const declaration = (db: Db) =>
  queries(db).first<Declaration>`select newest, needs from schema_version`;

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
export async function checkAlone(db: Db, change: string): Promise<void> {
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
