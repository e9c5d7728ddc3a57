import { sql } from 'kysely';
import { queries, type Db } from './query.ts';
import { isLatest } from './run-rows.ts';

/** A piece of a run's log. `step` is the step's index; -1 for what is said before the first. */
export interface LogChunk {
  seq: number;
  at: number;
  step: number;
  stream: 'stdout' | 'stderr' | 'mainsheet';
  text: string;
}

export function createLogs(db: Db) {
  const { all, change, value } = queries(db);
  return {
    /** False, with `attempt`, when that is no longer the run's latest, as in `Steps.update`: then nothing is written. */
    async append(run: string, chunks: readonly LogChunk[], attempt?: number): Promise<boolean> {
      if (chunks.length === 0) return true;
      // PostgreSQL's text cannot hold U+0000, and a log looks the same on every engine.
      const rows = chunks.map(
        ({ seq, at, step, stream, text }) => sql`(cast(${seq} as integer), cast(${at} as bigint),
          cast(${step} as integer), ${stream}, ${text.replaceAll('\0', '\uFFFD')})`,
      );
      // Both engines name the columns of values so.
      const written = await change`insert into log_chunks (run_id, seq, at, step, stream, text)
        select cast(${run} as text), v.column1, v.column2, v.column3, v.column4, v.column5
        from (values ${sql.join(rows)}) as v where ${isLatest(db, run, attempt)}`;
      return written > 0;
    },

    /** Chunks after `after` (-1: from the beginning), oldest first, at most `limit`. */
    read: (run: string, after: number, limit: number) =>
      all<LogChunk>`select seq, at, step, stream, text from log_chunks
        where run_id = ${run} and seq > ${after} order by seq limit ${limit}`,

    /** What a step has printed last: at least `length` characters of it, where there are as many. */
    async end(run: string, step: number, length: number): Promise<string> {
      const texts: string[] = [];
      let missing = length;
      for (let before = Number.MAX_SAFE_INTEGER; missing > 0;) {
        const chunks = await all<LogChunk>`select seq, text from log_chunks
          where run_id = ${run} and step = ${step} and seq < ${before} order by seq desc limit 50`;
        for (const { seq, text } of chunks) {
          texts.push(text);
          missing -= text.length;
          before = seq;
        }
        if (chunks.length < 50) break;
      }
      return texts.toReversed().join('');
    },

    /** The number that the run's next chunk gets. */
    async nextSeq(run: string): Promise<number> {
      const last = await value<number>`select max(seq) from log_chunks where run_id = ${run}`;
      return (last ?? -1) + 1;
    },
  };
}
