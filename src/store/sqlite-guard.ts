import SQLite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { RetryableError } from '../lib/errors.ts';

/**
 * The disk is full or too small for the file, cannot be written or read just now, or another program holds the file. All of
 * this passes, and nothing of a transaction that it hit is there afterwards: https://www.sqlite.org/rescode.html
 */
const AWAY_CODES = /^SQLITE_(?:FULL|READONLY|CANTOPEN|BUSY|LOCKED|NOLFS|PROTOCOL|IOERR)(?:_|$)/;
const BUSY_CODES = /^SQLITE_BUSY(?:_|$)/;

/**
 * The database with errors that the rest of the code understands: while the disk does not do its part statements throw
 * RetryableError `store-away`. A rollback after SQLite has rolled back by itself does nothing, so that the first error is told.
 */
export function withGuard(
  database: SqliteDatabase & Pick<SQLite.Database, 'inTransaction'>,
): SqliteDatabase {
  return {
    prepare(sql) {
      const statement = guarded(() => database.prepare(sql));
      return sql === 'rollback' ? rollback(statement, database) : guardedStatement(statement);
    },
    close: () => database.close(),
  };
}

function guardedStatement(statement: SqliteStatement): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => guarded(() => statement.all(parameters)),
    run: (parameters) => guarded(() => statement.run(parameters)),
    iterate: (parameters) => guarded(() => statement.iterate(parameters)),
  };
}

function rollback(
  statement: SqliteStatement,
  database: Pick<SQLite.Database, 'inTransaction'>,
): SqliteStatement {
  return {
    ...guardedStatement(statement),
    run: (parameters) =>
      database.inTransaction
        ? guarded(() => statement.run(parameters))
        : { changes: 0, lastInsertRowid: 0 },
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
