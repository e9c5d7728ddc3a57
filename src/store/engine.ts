import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { MainsheetError } from '../lib/errors.ts';
import { withPreparedStatements } from './prepared-statements.ts';
import { withGuard } from './sqlite-guard.ts';
import type { Database } from './tables.ts';

/**
 * How long a statement waits while another process (a backup, a curious operator) writes, in milliseconds. It waits in
 * the event loop's thread, and several in a row must leave GitHub's 10 seconds room for an answer.
 */
const BUSY_TIMEOUT_MS = 2000;

/** The engines that the one store runs on. */
export type Engine = 'sqlite' | 'postgres';

/**
 * Opens (and makes) the SQLite file. WAL with `synchronous=FULL`: a committed row has reached the disk before anybody
 * hears of it (https://www.sqlite.org/pragma.html#pragma_synchronous). The file and its directory are the owner's only.
 * Throws MainsheetError `store-unavailable`.
 */
export function openSqlite(file: string): Kysely<Database> {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const sqlite = new SQLite(file, { timeout: BUSY_TIMEOUT_MS });
    chmodSync(file, 0o600);
    // Counts only for a file that is made now: what retention removes can then be given back to the disk.
    sqlite.pragma('auto_vacuum = INCREMENTAL');
    sqlite.pragma('journal_mode = WAL');
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = ON');
    sqlite.pragma('cache_size = -64000');
    return new Kysely<Database>({
      dialect: new SqliteDialect({ database: withPreparedStatements(withGuard(sqlite)) }),
    });
  } catch (error) {
    throw new MainsheetError('store-unavailable', `cannot open the database ${file}`, {
      cause: error,
      hint: 'check that MAINSHEET_DATA_DIR exists, is writable and has room',
    });
  }
}
