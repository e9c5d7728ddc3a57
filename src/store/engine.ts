import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely } from 'kysely';
import { systemClock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import { sqliteDialect, type Patience } from './sqlite-driver.ts';
import { withGuard } from './sqlite-guard.ts';
import { createWriter } from './writer.ts';
import type { Db, Row } from './query.ts';

/** At start, while nothing else is to be done, another program may hold the file for this long, in milliseconds. */
const OPEN_TIMEOUT_MS = 2000;
/** Later a statement waits this long in all, beside the event loop: GitHub must have its answer within 10 seconds. */
const PATIENCE_MS = 5000;
/** The log is cut back to this when it has grown, in bytes: as long as any program reads, it only grows. */
const JOURNAL_SIZE_LIMIT = 16 * 1024 * 1024;

const PAGE_BYTES = 8192;
/** Pages in the log after which a commit brings them into the file: the writer, which holds nothing up, has done so before when there is much to write. */
const CHECKPOINT_PAGES = 6000;

/** The engines that the one store runs on. */
export type Engine = 'sqlite' | 'postgres';

/**
 * Opens (and makes) the SQLite file. Commits do not wait for the disk: `Barrier` does. The file and its directory are the
 * owner's only. `patience`: how long a statement waits for another program that holds the file (5 s).
 * Throws MainsheetError `store-unavailable`.
 */
export function openSqlite(
  file: string,
  patience: Patience = { clock: systemClock, patienceMs: PATIENCE_MS },
): Db {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const sqlite = new SQLite(file, { timeout: OPEN_TIMEOUT_MS });
    chmodSync(file, 0o600);
    // Both count only for a file that is made now, and the size only before the other. A payload takes few pages: a fifth less work for
    // each delivery than with pages of 4 KB. What retention removes can be given back to the disk.
    sqlite.pragma(`page_size = ${PAGE_BYTES}`);
    sqlite.pragma('auto_vacuum = INCREMENTAL');
    sqlite.pragma('journal_mode = WAL');
    // A commit is in the log; `Barrier` waits for the disk.
    sqlite.pragma('synchronous = NORMAL');
    sqlite.pragma('cache_size = -8000');
    sqlite.pragma(`journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
    // SQLite itself would wait in the event loop's thread.
    sqlite.pragma('busy_timeout = 0');
    sqlite.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    const dialect = sqliteDialect(withGuard(sqlite), createWriter(file), patience);
    return new Kysely<Record<string, Row>>({ dialect });
  } catch (error) {
    throw new MainsheetError('store-unavailable', `cannot open the database ${file}`, {
      cause: error,
      hint: isNoDatabase(error)
        ? 'move that file out of the way, or put a backup in its place: it is damaged, or another program’s'
        : 'see that it is a file that this user may write, in a MAINSHEET_DATA_DIR with room',
    });
  }
}

/** Whether SQLite says that a file is none of its own, or damaged. */
export function isNoDatabase(error: unknown): boolean {
  return error instanceof SQLite.SqliteError && /^SQLITE_(?:NOTADB|CORRUPT)/.test(error.code);
}
