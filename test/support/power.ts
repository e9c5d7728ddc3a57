import fs, {
  copyFileSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import SQLite from 'better-sqlite3';

/**
 * Loaded before a controller on SQLite (`--import`): keeps what its database files were when a flush began that has come to
 * its end. That is the least that a power cut leaves, and what `cutPower` puts in their place.
 */

const KEPT = 'flushed';
/** A disk is slow, or what does not wait for it is seldom found out. */
const SLOW_MS = 100;
let count = 0;
/** The newest that was kept: of flushes that overlap the later one has all that the earlier one has, whichever ends first. */
let kept = -1;

const { fdatasync } = fs;
fs.fdatasync = Object.assign(
  (file: number, callback: fs.NoParamCallback) => {
    const name = count++;
    const wal = readlinkSync(`/proc/self/fd/${file}`);
    void copyAtRest(wal.replace(/-wal$/, ''), name).then(() => {
      setTimeout(() => {
        fdatasync(file, (error) => {
          if (error === null) keep(dirname(wal), name);
          callback(error);
        });
      }, SLOW_MS);
    });
  },
  { __promisify__: fdatasync.__promisify__ },
);
syncBuiltinESMExports();

// A thread is given this too, when the process is at work.
if (isMainThread) {
  const data = process.env['MAINSHEET_DATA_DIR'] ?? '';
  const database = join(data, 'mainsheet.db');
  rmSync(join(data, KEPT), { recursive: true, force: true });
  // What a process finds at its start it takes for granted.
  if (existsSync(database)) {
    copy(database, count);
    keep(data, count++);
  }
}

/**
 * Copies the files while no connection of this process writes. A thread may bring its commits from the log into the file meanwhile, but
 * never begins the log again: what it writes stands in the copy of the log, which is made last.
 */
async function copyAtRest(file: string, name: number): Promise<void> {
  const lock = new SQLite(file, { timeout: 0 });
  while (!begin(lock)) await delay(1);
  copy(file, name);
  lock.close();
}

function begin(lock: SQLite.Database): boolean {
  try {
    lock.exec('begin immediate');
    return true;
  } catch (error) {
    if (error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
    throw error;
  }
}

function copy(file: string, name: number): void {
  const place = join(dirname(file), KEPT, String(name));
  mkdirSync(place, { recursive: true });
  copyFileSync(file, join(place, 'db'));
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, join(place, 'wal'));
}

function keep(directory: string, name: number): void {
  const latest = join(directory, KEPT, 'latest');
  const before = kept;
  kept = Math.max(kept, name);
  if (kept === name) {
    writeFileSync(`${latest}.new`, String(name));
    renameSync(`${latest}.new`, latest);
  }
  const older = kept === name ? before : name;
  rmSync(join(directory, KEPT, String(older)), { recursive: true, force: true });
}
