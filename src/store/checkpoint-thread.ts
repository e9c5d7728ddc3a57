import { parentPort, workerData } from 'node:worker_threads';
import SQLite from 'better-sqlite3';

/**
 * Brings pages from the log into the file, which waits for the disk twice, while the writer adds others to the log
 * (https://www.sqlite.org/wal.html#ckpt). What came meanwhile is left over, each time less of it.
 */

/** What it is told. A pass that is over it answers with any message. */
export type CheckpointAsk = 'pass' | 'close';

/** After so many passes the writer does the rest, however much that is. */
const MOST_PASSES = 3;
/** So many pages take the writer a moment. */
const FEW_PAGES = 200;

const sqlite = new SQLite(String(workerData), { fileMustExist: true, timeout: 0 });
sqlite.pragma('synchronous = NORMAL');
sqlite.pragma('wal_autocheckpoint = 0');

parentPort?.on('message', (asked: CheckpointAsk) => {
  if (asked === 'close') {
    sqlite.close();
    parentPort?.close();
    return;
  }
  try {
    for (let pass = 1, left = Infinity; pass <= MOST_PASSES && left > FEW_PAGES; pass += 1) {
      const [done] = sqlite.pragma('wal_checkpoint(PASSIVE)') as [
        { log: number; checkpointed: number },
      ];
      left = done.log - done.checkpointed;
    }
  } catch {
    // The disk is full, or away: the log grows, until a commit or a flush says so.
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage('passed');
});
