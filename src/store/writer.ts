import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import SQLite from 'better-sqlite3';
import type { CompiledQuery } from 'kysely';
import { RetryableError } from '../lib/errors.ts';
import { asAway } from './sqlite-guard.ts';
import type { ThreadAnswer, ThreadStatement } from './writer-thread.ts';

/** A statement that the writer does. */
export interface LargeQuery extends CompiledQuery {
  /** The parameters of each time. */
  sets: readonly (readonly unknown[])[];
}

/**
 * A statement done with one set of parameters after the other: all of it or nothing. It answers for each how many rows it has changed. The
 * writer does it where it is in no transaction. Only for SQLite.
 */
export function largeQuery(
  query: CompiledQuery,
  sets: readonly (readonly unknown[])[] = [query.parameters],
): CompiledQuery<number> {
  const large: CompiledQuery<number> & LargeQuery = { ...query, sets };
  return large;
}

/** Whether a statement is to be done by the writer. */
export function isLarge(query: CompiledQuery): query is LargeQuery {
  return 'sets' in query;
}

/** Writes beside the event loop. The thread is started by the first statement. */
export interface Writer {
  /** How many rows each time has changed. Rejects as a statement of the database itself does. */
  execute(query: Pick<LargeQuery, 'sql' | 'sets'>): Promise<number[]>;
  /** Resolves when the thread has ended. */
  close(): Promise<void>;
}

/** Memory of the thread: its objects are the groups on their way. */
const LIMITS = { maxYoungGenerationSizeMb: 8 };

export function createWriter(file: string): Writer {
  let thread: Worker | undefined;
  /** Of those on their way, in their order. */
  const waiting: PromiseWithResolvers<number[]>[] = [];

  function start(): Worker {
    const entry = new URL(`./writer-thread${extname(import.meta.url)}`, import.meta.url);
    const started = new Worker(entry, { workerData: file, resourceLimits: LIMITS, execArgv: [] });
    let cause: unknown;
    started.on('message', (answer: ThreadAnswer) => {
      const asked = waiting.shift();
      if (waiting.length === 0) started.unref();
      if ('changes' in answer) asked?.resolve(answer.changes);
      else asked?.reject(asAway(errorOf(answer)));
    });
    started.on('error', (error) => (cause = error));
    started.on('exit', () => {
      thread = undefined;
      for (const asked of waiting.splice(0)) {
        asked.reject(
          new RetryableError('store-away', 'the thread that writes has ended', { cause }),
        );
      }
    });
    return started;
  }

  return {
    execute({ sql, sets }) {
      thread ??= start();
      thread.ref();
      const asked = Promise.withResolvers<number[]>();
      waiting.push(asked);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      thread.postMessage({ sql, sets } satisfies ThreadStatement);
      return asked.promise;
    },
    async close() {
      if (thread === undefined) return;
      const ended = new Promise((resolve) => thread?.once('exit', resolve));
      thread.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      thread.postMessage('close');
      await ended;
    },
  };
}

function errorOf(answer: Exclude<ThreadAnswer, { changes: number[] }>): unknown {
  return answer.code === undefined
    ? answer.error
    : new SQLite.SqliteError(answer.error, answer.code);
}
