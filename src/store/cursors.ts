import { queries, type Db } from './query.ts';

/** How far something has been read that is read piece by piece. */
export type Cursors = ReturnType<typeof createCursors>;

export function createCursors(db: Db) {
  const { change, first } = queries(db);
  return {
    async get(name: string): Promise<string | undefined> {
      return (await first<{ value: string }>`select value from cursors where name = ${name}`)
        ?.value;
    },

    async set(name: string, value: string, now: number): Promise<void> {
      await change`insert into cursors (name, value, updated_at) values (${name}, ${value}, ${now})
        on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at`;
    },
  };
}
