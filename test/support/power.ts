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
    copy(wal.replace(/-wal$/, ''), name);
    setTimeout(() => {
      fdatasync(file, (error) => {
        if (error === null) keep(dirname(wal), name);
        callback(error);
      });
    }, SLOW_MS);
  },
  { __promisify__: fdatasync.__promisify__ },
);
syncBuiltinESMExports();

const data = process.env['MAINSHEET_DATA_DIR'] ?? '';
const database = join(data, 'mainsheet.db');
rmSync(join(data, KEPT), { recursive: true, force: true });
// What a process finds at its start it takes for granted.
if (existsSync(database)) {
  copy(database, count);
  keep(data, count++);
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
