import { extname } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import SQLite from 'better-sqlite3';
import type { CheckpointAsk } from './checkpoint-thread.ts';

/** A connection of its own, in a thread of its own: does one statement after the other (`writer.ts`). */

/** A statement to be done with one set of parameters after the other: all in one transaction, or nothing. */
export interface ThreadStatement {
  sql: string;
  sets: readonly (readonly unknown[])[];
}

/** What became of it: how many rows each time has changed. An error of SQLite's as what it is made of: a copy of it would be one of no kind. */
export type ThreadAnswer =
  { changes: number[] } | { error: unknown; code?: undefined } | { error: string; code: string };

/** Of the thread that checkpoints. */
const LIMITS = { maxYoungGenerationSizeMb: 1 };
/** Pages in the log, 16 MB, that are worth bringing into the file: a page that is written often meanwhile is brought once. */
const MANY_PAGES = 2000;
/** After so many a commit does so by itself: the other thread is not there, or cannot keep up. */
const TOO_MANY_PAGES = 4000;

const sqlite = new SQLite(String(workerData), { fileMustExist: true, timeout: 0 });
sqlite.pragma('synchronous = NORMAL');
sqlite.pragma('cache_size = -8000');
sqlite.pragma(`wal_autocheckpoint = ${TOO_MANY_PAGES}`);
const statements = new Map<string, SQLite.Statement>();
const inTransaction = sqlite.transaction(changesOf);
const checkpoints = startCheckpoints();

parentPort?.on('message', (statement: ThreadStatement | 'close') => {
  if (statement === 'close') {
    void checkpoints.close().then(() => {
      sqlite.close();
      parentPort?.close();
    });
    return;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(answerTo(statement));
  checkpoints.look();
});

/**
 * Has the log brought into the file by a thread that waits for the disk while this one writes. What came meanwhile this one brings
 * itself: only when nothing is left over does the log begin again, and so stay small.
 */
function startCheckpoints(): { look: () => void; close: () => Promise<void> } {
  const entry = new URL(`./checkpoint-thread${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(entry, { workerData, resourceLimits: LIMITS, execArgv: [] });
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  let isPassing = false;
  thread.on('message', () => {
    checkpoint('PASSIVE');
    isPassing = false;
  });
  // Then commits do it.
  thread.on('error', () => (isPassing = true));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const ask = (what: CheckpointAsk) => thread.postMessage(what);
  return {
    look() {
      if (isPassing || checkpoint('NOOP') < MANY_PAGES) return;
      isPassing = true;
      ask('pass');
    },
    close() {
      ask('close');
      return ended;
    },
  };
}

/** How many pages are in the log. https://www.sqlite.org/pragma.html#pragma_wal_checkpoint */
function checkpoint(mode: 'NOOP' | 'PASSIVE'): number {
  try {
    const [state] = sqlite.pragma(`wal_checkpoint(${mode})`) as [{ log: number }];
    return state.log;
  } catch {
    // The disk is full, or away: a statement will say so.
    return 0;
  }
}

function answerTo(asked: ThreadStatement): ThreadAnswer {
  try {
    const { sets } = asked;
    return { changes: sets.length === 1 ? changesOf(asked) : inTransaction.immediate(asked) };
  } catch (error) {
    if (error instanceof SQLite.SqliteError) return { error: error.message, code: error.code };
    return { error };
  }
}

function changesOf({ sql, sets }: ThreadStatement): number[] {
  const statement = statements.get(sql) ?? sqlite.prepare(sql);
  statements.set(sql, statement);
  return sets.map((set) => statement.run(set).changes);
}
