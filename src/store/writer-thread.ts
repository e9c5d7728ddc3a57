import { parentPort, workerData } from 'node:worker_threads';
import SQLite from 'better-sqlite3';

/** A connection of its own, in a thread of its own: does one statement after the other (`writer.ts`). */

/** A statement that answers one row or none, to be done with one set of parameters after the other: all in one transaction, or nothing. */
export interface ThreadStatement {
  sql: string;
  sets: readonly (readonly unknown[])[];
}

/** What became of it. An error of SQLite's as what it is made of: a copy of it would be one of no kind. */
export type ThreadAnswer =
  { rows: unknown[] } | { error: unknown; code?: undefined } | { error: string; code: string };

/** Pages in the log after which a commit here brings them into the file: 16 MB, because a page that is written often meanwhile is brought once. */
const CHECKPOINT_PAGES = 2000;

const sqlite = new SQLite(String(workerData), { fileMustExist: true, timeout: 0 });
sqlite.pragma('synchronous = NORMAL');
sqlite.pragma('foreign_keys = ON');
sqlite.pragma('cache_size = -16000');
sqlite.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
const statements = new Map<string, SQLite.Statement>();
const inTransaction = sqlite.transaction(rowsOf);

parentPort?.on('message', (statement: ThreadStatement | 'close') => {
  if (statement === 'close') {
    sqlite.close();
    parentPort?.close();
    return;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(answerTo(statement));
});

function answerTo(asked: ThreadStatement): ThreadAnswer {
  try {
    return { rows: asked.sets.length === 1 ? rowsOf(asked) : inTransaction.immediate(asked) };
  } catch (error) {
    if (error instanceof SQLite.SqliteError) return { error: error.message, code: error.code };
    return { error };
  }
}

function rowsOf({ sql, sets }: ThreadStatement): unknown[] {
  let statement = statements.get(sql);
  if (statement === undefined) statements.set(sql, (statement = sqlite.prepare(sql)));
  const rows: unknown[] = [];
  for (const set of sets) {
    const row = statement.get(set);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}
