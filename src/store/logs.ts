import { sql, type Kysely } from 'kysely';
import type { Engine } from './engine.ts';
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
  /** False, with `attempt`, when that is no longer the run's latest, as in `Steps.update`: then nothing is written. */
  append(run: string, chunks: readonly LogChunk[], attempt?: number): Promise<boolean>;
  /** Chunks after `after` (-1: from the beginning), oldest first, at most `limit`. */
  read(run: string, after: number, limit: number): Promise<LogChunk[]>;
  /** The number that the run's next chunk gets. */
  nextSeq(run: string): Promise<number>;
}

export function createLogs(db: Kysely<Database>, engine: Engine): Logs {
  return {
    async append(run, chunks, attempt) {
      if (chunks.length === 0) return true;
      // PostgreSQL's text cannot hold U+0000, and a log looks the same on every engine.
      const rows = chunks.map((chunk) => ({
        ...chunk,
        text: chunk.text.replaceAll('\0', '\uFFFD'),
      }));
      if (attempt === undefined) {
        await db
          .insertInto('log_chunks')
          .values(rows.map((row) => ({ run_id: run, ...row })))
          .execute();
        return true;
      }
      const values = rows.map(
        ({ seq, at, step, stream, text }) =>
          sql`(cast(${seq} as integer), cast(${at} as bigint), cast(${step} as integer), ${stream}, ${text})`,
      );
      // Both engines name the columns of values so. Who takes the run up waits until this is written, or this sees it.
      const result = await sql`insert into log_chunks (run_id, seq, at, step, stream, text)
        select r.id, v.column1, v.column2, v.column3, v.column4, v.column5
        from runs as r, (values ${sql.join(values)}) as v
        where r.id = ${run} and r.attempts = ${attempt}
        ${engine === 'postgres' ? sql`for share of r` : sql``}`.execute(db);
      return (result.numAffectedRows ?? 0n) > 0n;
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
