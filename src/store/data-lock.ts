import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { MainsheetError } from '../lib/errors.ts';
import { isNoDatabase } from './engine.ts';

/** A process that ends just now has its time to let go, in milliseconds. */
const PATIENCE_MS = 2000;

/**
 * Makes the data directory this process's alone until it calls what is returned, or ends in any way. A process that starts there
 * frees what was claimed and ends the steps that are left over: of a process that lives, these are at work. The lock is one
 * that the operating system takes back, held through SQLite. Throws MainsheetError `data-directory-in-use`, `data-directory`.
 */
export function lockDataDirectory(directory: string): () => void {
  const file = join(directory, 'in-use.db');
  let lock: SQLite.Database | undefined;
  try {
    lock = new SQLite(file, { timeout: PATIENCE_MS });
    chmodSync(file, 0o600);
    lock.exec('begin exclusive');
  } catch (error) {
    lock?.close();
    const isBusy = error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_BUSY');
    throw isBusy
      ? new MainsheetError('data-directory-in-use', `another Mainsheet works in ${directory}`, {
          cause: error,
          hint: 'stop it first, or give each its own MAINSHEET_DATA_DIR (replicas too: they share the database alone)',
        })
      : new MainsheetError('data-directory', `cannot write into the data directory ${directory}`, {
          cause: error,
          hint: isNoDatabase(error)
            ? `remove ${file}: what it should be holds nothing`
            : 'give the user that runs Mainsheet the directory, and see that its disk is not full',
        });
  }
  const held = lock;
  return () => held.close();
}
