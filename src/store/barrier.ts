import { accessSync, closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { MainsheetError, RetryableError } from '../lib/errors.ts';
import type { Engine } from './engine.ts';
import type { Db } from './query.ts';

/**
 * Waits for the disk. A commit hands its changes to the operating system; what the world may see of them waits here (G1).
 * Resolves when all that was committed before the call is on the disk. Rejects with RetryableError `store-away` while the
 * database cannot be reached, and with MainsheetError `store-lost` once a flush has failed, and for ever after: what the
 * disk did not take may be gone though it can still be read, so only a restart finds out what is there
 * (https://wiki.postgresql.org/wiki/Fsync_Errors).
 */
export type Barrier = () => Promise<void>;

/** Flushes under way at once. The second does not wait for the first, which a slow disk would make twice as long. */
const MOST_AT_ONCE = 2;

/** One call of `flush`, which brings to the disk all that was committed before it, serves all that wait for it. */
export function createBarrier(flush: () => Promise<void>): Barrier {
  const running = new Set<Promise<void>>();
  let next: Promise<void> | undefined;
  let lost: unknown;

  async function pass(): Promise<void> {
    try {
      if (lost === undefined) await flush();
    } catch (cause) {
      if (cause instanceof RetryableError) throw cause;
      lost ??= new MainsheetError('store-lost', 'the disk did not take what was written', {
        cause,
        hint: 'look at the disk of MAINSHEET_DATA_DIR, then restart: what did reach it is taken up again',
      });
    }
    // Also when only the other one has failed: it was of earlier commits.
    if (lost !== undefined) throw lost;
  }

  function begin(): Promise<void> {
    next = undefined;
    const own = pass().finally(() => running.delete(own));
    running.add(own);
    return own;
  }

  // Those under way may have begun before the latest commit: only one that begins later is sure to cover it.
  return () =>
    running.size < MOST_AT_ONCE ? begin() : (next ??= Promise.race(running).then(begin, begin));
}

/** The barrier of an open database. */
export function barrierOf(
  db: Db,
  engine: Engine,
): {
  flushed: Barrier;
  /** The same where something was committed for sure: then the database is not asked. */
  committed: Barrier;
  /** To be called when nothing waits for it any more. */
  close: () => void;
} {
  if (engine === 'postgres') {
    const flushed = createBarrier(() => postgresFlush(db));
    return { flushed, committed: flushed, close: () => undefined };
  }
  let isSure = false;
  const { flush, close } = sqliteFlush(db);
  const flushed = createBarrier(() => {
    const sure = isSure;
    isSure = false;
    return flush(sure);
  });
  const committed = () => {
    isSure = true;
    return flushed();
  };
  return { flushed, committed, close };
}

/**
 * With `synchronous=NORMAL` a commit is in SQLite's write-ahead log, but perhaps not on the disk: flushing that file is what
 * `FULL` does after each commit (https://www.sqlite.org/pragma.html#pragma_synchronous). Here the event loop goes on meanwhile.
 */
function sqliteFlush(db: Db): { flush: (isSure: boolean) => Promise<void>; close: () => void } {
  let flushed = '';
  let file: string | undefined;
  /** One descriptor for all: the system tells of what it could not write back to those that were open then, and to one of later not for sure. */
  let log: number | undefined;

  async function counted(): Promise<string> {
    // Asked between two transactions: what is counted, of this connection and of others, is committed.
    const own = await sql<{ changes: number }>`select total_changes() as changes`.execute(db);
    const others = await sql<{ data_version: number }>`pragma data_version`.execute(db);
    return `${own.rows[0]?.changes} ${others.rows[0]?.data_version}`;
  }

  return {
    async flush(isSure) {
      const changes = isSure ? undefined : await counted();
      if (changes !== undefined && changes === flushed) return;
      file ??= await fileOf(db);
      log = reach(`${file}-wal`, log);
      await flushFile(log);
      flushed = changes ?? flushed;
    },
    close() {
      if (log !== undefined) closeSync(log);
      log = undefined;
    },
  };
}

const flushFile = promisify(fdatasync);

/** Nothing is lost when the file is away, or cannot be opened, as where the process has too many open: it is asked for again. */
function reach(path: string, open: number | undefined): number {
  try {
    if (open === undefined) return openSync(path, 'r');
    accessSync(path);
    return open;
  } catch (cause) {
    throw new RetryableError('store-away', "the database's log cannot be opened", { cause });
  }
}

async function fileOf(db: Db): Promise<string> {
  const { rows } = await sql<{ file: string }>`pragma database_list`.execute(db);
  return rows[0]?.file ?? '';
}

/**
 * A commit that waits for the disk, of a record that means nothing: the server's log is flushed up to it, so also what
 * others have committed without waiting (https://www.postgresql.org/docs/current/wal-async-commit.html).
 */
async function postgresFlush(db: Db): Promise<void> {
  const { rows } = await sql<{ flushed: boolean }>`
    select pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() as flushed`.execute(db);
  if (rows[0]?.flushed === true) return;
  await sql`select pg_logical_emit_message(true, 'mainsheet', '')`.execute(db);
}
