import { sql } from 'kysely';
import { queries, type Db } from './query.ts';

/** What repositories are called now and were called before. A name is the one repository's that was last seen with it. */
export type Repositories = ReturnType<typeof createRepositories>;

export function createRepositories(db: Db) {
  const { all, change, first } = queries(db);

  /** GitHub's number of a repository; undefined when it was never seen. */
  async function idOf(name: string): Promise<number | undefined> {
    const row = await first<{ id: number }>`
      select id from repositories where name = ${name.toLowerCase()}`;
    return row?.id;
  }

  const rowsOf = (id: number) =>
    all<{ name: string; spelled: string; seenAt: number }>`
      select name, spelled, seen_at as "seenAt" from repositories where id = ${id} order by seen_at desc`;

  /** Of the branches of `from`, which is called `to` now. */
  async function carryOver(from: string, to: string): Promise<void> {
    await change`delete from branch_heads where repository = ${to}`;
    for (const table of [sql`branch_heads`, sql`pushes`]) {
      await change`update ${table} set repository = ${to} where repository = ${from}`;
    }
  }

  return {
    idOf,

    /**
     * Notes that GitHub gives the repository with this number this name. What is told again changes nothing, because deliveries come
     * late, unless it is `current`: what GitHub just answered. What is known of the branches goes on under the new name.
     */
    async see(id: number, spelled: string, now: number, current = false): Promise<void> {
      const name = spelled.toLowerCase();
      const [newest] = await rowsOf(id);
      if (newest?.name === name) return;
      if (!current && (await idOf(name)) === id) return;
      const seenAt = Math.max(now, (newest?.seenAt ?? 0) + 1);
      await change`insert into repositories (name, id, spelled, seen_at)
        values (${name}, ${id}, ${spelled}, ${seenAt}) on conflict (name) do update set
        id = excluded.id, spelled = excluded.spelled, seen_at = excluded.seen_at`;
      if (newest !== undefined) await carryOver(newest.name, name);
    },

    /** All names of the repository that is or was called `name`, the one it has now first; `name` alone when it was never seen. */
    async namesOf(name: string): Promise<[string, ...string[]]> {
      const id = await idOf(name);
      const [newest, ...former] = id === undefined ? [] : await rowsOf(id);
      if (newest === undefined) return [name];
      return [newest.spelled, ...former.map(({ spelled }) => spelled)];
    },
  };
}
