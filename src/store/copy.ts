import SQLite from 'better-sqlite3';
import { sql } from 'kysely';
import { MainsheetError, TerminalError } from '../lib/errors.ts';
import { openSqlite } from './engine.ts';
import { migrate } from './migrations.ts';
import { openPostgres } from './postgres.ts';
import { queries, type Db } from './query.ts';

/** Rows of one statement: few, because one delivery may have 25 MB. */
const ROWS_AT_ONCE = 20;
/** What the probe writes tells nothing, and each database knows its own schema. */
const NOT_COPIED = new Set(['store_probe', 'schema_changes']);
const LEASED = ['deliveries', 'runs', 'outbox', 'leases'];

/** Of a table that is being copied this often is told how far it is. */
const ROWS_BETWEEN_NEWS = 50_000;

export interface CopiedTable {
  table: string;
  rows: number;
}

/**
 * Copies a SQLite store into an empty PostgreSQL database, in one transaction: everything or nothing. Both are brought up
 * to date first, numbers of rows go on where they were, and what was claimed is free again.
 * Throws TerminalError `store-missing`, `store-in-use` (a server still has the file open), `target-not-empty`, and
 * MainsheetError `copy-incomplete` when the counts differ afterwards. `onProgress` hears how many rows of a table have come,
 * now and then and at its end; of an empty one nothing.
 */
export async function copySqliteToPostgres(
  file: string,
  url: string,
  onProgress: (so: CopiedTable & { of: number }) => void,
): Promise<CopiedTable[]> {
  checkAlone(file);
  const from = openSqlite(file);
  const to = openPostgres(url);
  try {
    await migrate(from);
    await migrate(to);
    const tables = (await from.introspection.getTables()).map(({ name }) => name);
    const names = tables.filter((name) => !NOT_COPIED.has(name)).sort();
    return await to.transaction().execute(async (target) => {
      await checkEmpty(target, names);
      const copied: CopiedTable[] = [];
      for (const table of names) {
        copied.push({ table, rows: await copyTable(from, target, table, onProgress) });
        await continueSequence(from, target, table);
      }
      for (const table of LEASED) await target.updateTable(table).set({ lease_until: 0 }).execute();
      return copied;
    });
  } finally {
    await from.destroy();
    await to.destroy();
  }
}

/** Leaving WAL needs the file for itself, which tells whether a server has it open. */
function checkAlone(file: string): void {
  let database: SQLite.Database;
  try {
    database = new SQLite(file, { fileMustExist: true, timeout: 1000 });
  } catch (error) {
    throw new TerminalError('store-missing', `there is no SQLite store at ${file}`, {
      cause: error,
      hint: 'set MAINSHEET_DATA_DIR to the data directory that the server used',
    });
  }
  try {
    database.pragma('journal_mode = DELETE');
  } catch (error) {
    throw new TerminalError('store-in-use', `${file} is in use`, {
      cause: error,
      hint: 'stop the server first, or what it takes in meanwhile is lost',
    });
  } finally {
    database.close();
  }
}

async function checkEmpty(target: Db, names: readonly string[]): Promise<void> {
  for (const table of names) {
    // A server that has started on it waits here, and finds everything.
    await sql`lock table ${sql.table(table)} in exclusive mode`.execute(target);
    if ((await count(target, table)) === 0) continue;
    throw new TerminalError('target-not-empty', `the PostgreSQL database has rows in ${table}`, {
      hint: 'copy into an empty database',
    });
  }
}

async function copyTable(
  from: Db,
  target: Db,
  table: string,
  onProgress: Parameters<typeof copySqliteToPostgres>[2],
): Promise<number> {
  const there = await count(from, table);
  let rows: Record<string, unknown>[] = [];
  let done = 0;
  const flush = async () => {
    if (rows.length === 0) return;
    await target.insertInto(table).values(rows).execute();
    done += rows.length;
    rows = [];
    if (done % ROWS_BETWEEN_NEWS === 0 && done < there)
      onProgress({ table, rows: done, of: there });
  };
  for await (const row of from.selectFrom(table).selectAll().stream()) {
    rows.push(row);
    if (rows.length >= ROWS_AT_ONCE) await flush();
  }
  await flush();
  if (done > 0) onProgress({ table, rows: done, of: there });
  const here = await count(target, table);
  if (there === here) return here;
  throw new MainsheetError('copy-incomplete', `${table} has ${there} rows, of which ${here} came`);
}

/** SQLite remembers the highest number that it gave out, even of a row that is gone: cursors must stay true. */
async function continueSequence(from: Db, target: Db, table: string): Promise<void> {
  const last = await queries(from)
    .value<number>`select seq from sqlite_sequence where name = ${table}`;
  if (last === undefined || last === 0) return;
  await sql`select setval(pg_get_serial_sequence(${table}, 'seq'), ${last}::bigint)`.execute(
    target,
  );
}

async function count(db: Db, table: string): Promise<number> {
  return (await queries(db).value<number>`select count(*) from ${sql.table(table)}`) ?? 0;
}
