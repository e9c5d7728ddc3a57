import SQLite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { RetryableError } from '../lib/errors.ts';

/**
 * The disk is full or too small for the file, cannot be written or read just now, or another program holds the file. All of
 * this passes, and nothing of a transaction that it hit is there afterwards: https://www.sqlite.org/rescode.html
 */
const AWAY_CODES = /^SQLITE_(?:FULL|READONLY|CANTOPEN|BUSY|LOCKED|NOLFS|PROTOCOL|IOERR)(?:_|$)/;
const BUSY_CODES = /^SQLITE_BUSY(?:_|$)/;

/** Statements kept at most: more than Mainsheet has, few enough to cost nothing. */
const MOST_STATEMENTS = 500;
const NOTHING_CHANGED = { changes: 0, lastInsertRowid: 0 };

/**
 * The database as Kysely is to see it. Statements are kept, because Kysely prepares each again and most are said again and again;
 * it runs one at a time to its end. While the disk does not do its part they throw RetryableError `store-away`. A rollback after
 * SQLite has rolled back by itself does nothing, so that the first error is told.
 */
export function withGuard(
  database: SqliteDatabase & Pick<SQLite.Database, 'inTransaction'>,
): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>();

  function prepare(sql: string): SqliteStatement {
    const statement = guarded(() => database.prepare(sql));
    const isOver = () => sql === 'rollback' && !database.inTransaction;
    return {
      reader: statement.reader,
      all: (parameters) => guarded(() => statement.all(parameters)),
      run: (parameters) => (isOver() ? NOTHING_CHANGED : guarded(() => statement.run(parameters))),
      iterate: (parameters) => guarded(() => statement.iterate(parameters)),
    };
  }

  return {
    prepare(sql) {
      let statement = kept.get(sql);
      if (statement === undefined) {
        if (kept.size >= MOST_STATEMENTS) kept.clear();
        kept.set(sql, (statement = prepare(sql)));
      }
      return statement;
    },
    close: () => database.close(),
  };
}

function guarded<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw asAway(error);
  }
}

/** The error to throw in place of one that a statement has thrown. */
export function asAway(error: unknown): unknown {
  if (!(error instanceof SQLite.SqliteError) || !AWAY_CODES.test(error.code)) return error;
  return new RetryableError('store-away', `the database cannot be used (${error.code})`, {
    cause: error,
    hint: BUSY_CODES.test(error.code)
      ? 'another program holds mainsheet.db: end what it does there, such as a transaction in the sqlite3 shell'
      : 'look at the disk of MAINSHEET_DATA_DIR: is it full, read-only or gone?',
  });
}

/** Whether a statement was refused, and did nothing, because another program has the database for itself just now. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof RetryableError &&
    error.cause instanceof SQLite.SqliteError &&
    BUSY_CODES.test(error.cause.code)
  );
}
