import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** A piece of a run's log. `step` is the step's index; -1 for what is said before the first. */
export interface LogChunk {
  seq: number;
  at: number;
  step: number;
  stream: 'stdout' | 'stderr' | 'mainsheet';
  text: string;
}

export interface Logs {
  append(run: string, chunks: readonly LogChunk[]): Promise<void>;
  /** Chunks after `after` (-1: from the beginning), oldest first, at most `limit`. */
  read(run: string, after: number, limit: number): Promise<LogChunk[]>;
  /** The number that the run's next chunk gets. */
  nextSeq(run: string): Promise<number>;
}

export function createLogs(db: Kysely<Database>): Logs {
  return {
    async append(run, chunks) {
      if (chunks.length === 0) return;
      await db
        .insertInto('log_chunks')
        // PostgreSQL's text cannot hold U+0000, and a log looks the same on every engine.
        .values(
          chunks.map((chunk) => ({
            run_id: run,
            ...chunk,
            text: chunk.text.replaceAll('\0', '\uFFFD'),
          })),
        )
        .execute();
    },

    async read(run, after, limit) {
      return await db
        .selectFrom('log_chunks')
        .select(['seq', 'at', 'step', 'stream', 'text'])
        .where('run_id', '=', run)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit)
        .execute();
    },

    async nextSeq(run) {
      const row = await db
        .selectFrom('log_chunks')
        .select((eb) => eb.fn.max<number | string | null>('seq').as('last'))
        .where('run_id', '=', run)
        .executeTakeFirst();
      return row?.last === null || row?.last === undefined ? 0 : Number(row.last) + 1;
    },
  };
}
