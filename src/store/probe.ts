import { queries, type Db } from './query.ts';

/** It may be asked often: the disk is written to at most once in this time. */
const VALID_MS = 1000;
/** A full disk often has room for a few bytes more. */
const FILLER = 16 * 1024;

/**
 * Whether the database answers, and whether something written to it would reach the disk: it throws what reading or writing
 * threw. What was found out about writing counts for a second, for all that ask.
 */
export function createProbe(
  db: Db,
  now: () => number = () => performance.now(),
): () => Promise<void> {
  const { all, change } = queries(db);
  let writing: Promise<void> | undefined;
  let writtenAt = 0;

  async function write(): Promise<void> {
    const at = Date.now();
    // Another text each time: what stays the same need not be written.
    const filler = String(at % 10).repeat(FILLER);
    await change`insert into store_probe (id, at, filler) values (1, ${at}, ${filler})
      on conflict (id) do update set at = excluded.at, filler = excluded.filler`;
  }

  return async () => {
    await all`select 1`;
    if (writing === undefined || now() - writtenAt > VALID_MS) {
      writtenAt = now();
      writing = write();
    }
    await writing;
  };
}
