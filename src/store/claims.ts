import { sql } from 'kysely';
import { assignments, engineOf, queries, type Db, type Row, type Sql } from './query.ts';

/** Of an open row where `attempts` names the claim; without an attempt: whatever claim it has. */
export const attemptOf = (row: Sql, attempt: number | undefined): Sql =>
  attempt === undefined ? row : sql`${row} and attempts = ${attempt}`;

/**
 * The rows of which `due` selects the `key`. What another process is about to take is not waited for. An array is made once; a
 * subquery that "in" reads again and again would lock others each time.
 */
export const freeOf = (db: Db, key: Sql, due: Sql): Sql =>
  engineOf(db) === 'sqlite'
    ? sql`${key} in (${due})`
    : sql`${key} = any(array(${due} for update skip locked))`;

/**
 * Claims on rows of a table: one process works on a row until its lease ends. It takes the row with its mark in it (the number of
 * the attempt, or its name), and later names the row with that mark: once another process has taken it, nothing happens. `open`:
 * which rows can be worked on at all; text, so that a partial index answers it.
 */
export function createClaims(db: Db, name: string, open: Sql) {
  const { all, change, first } = queries(db);
  const table = sql.table(name);
  return {
    /** Takes the open rows that are free and writes `mark` into them. Answers them as they are now. */
    take: (which: Sql, mark: Sql, until: number, now: number) =>
      all<Row>`update ${table} set lease_until = ${until}, ${mark}
        where ${which} and lease_until <= ${now} and ${open} returning *`,

    /** Makes a claim last until then. Undefined when it has ended: its row is closed, given back, or another's. */
    renew: (mine: Sql, until: number) =>
      first<Row>`update ${table} set lease_until = ${until}
        where ${mine} and lease_until > 0 and ${open} returning *`,

    /** Gives it back, with these changes to the row. False when it has ended. */
    async release(mine: Sql, changes: Row = {}): Promise<boolean> {
      const row = assignments({ lease_until: 0, ...changes });
      return (await change`update ${table} set ${row} where ${mine} and ${open}`) > 0;
    },

    /** Gives back what a process that is gone had taken. Only for an engine that one process owns. */
    async releaseAll(): Promise<void> {
      await change`update ${table} set lease_until = 0 where lease_until > 0 and ${open}`;
    },
  };
}
