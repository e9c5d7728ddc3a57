import { inPlace, queries, type Db } from './query.ts';

/** How far something has been read that is read piece by piece. */
export function createCursors(db: Db) {
  const { change, value } = queries(db);
  return {
    get: (name: string) => value<string>`select value from cursors where name = ${name}`,

    async set(name: string, to: string, now: number): Promise<void> {
      const row = { name, value: to, updated_at: now };
      await change`insert into cursors ${inPlace(['name'], [row])}`;
    },
  };
}
