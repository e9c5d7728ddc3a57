import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** What repositories are called now and were called before. A name is the one repository's that was last seen with it. */
export interface Repositories {
  /**
   * Notes that GitHub gives the repository with this number this name. What is told again changes nothing, because deliveries come
   * late, unless it is `current`: what GitHub just answered. What is known of the branches goes on under the new name.
   */
  see(id: number, name: string, now: number, current?: boolean): Promise<void>;
  /** GitHub's number of a repository; undefined when it was never seen. */
  idOf(name: string): Promise<number | undefined>;
  /** All names of the repository that is or was called `name`, the one it has now first; `name` alone when it was never seen. */
  namesOf(name: string): Promise<[string, ...string[]]>;
}

export function createRepositories(db: Kysely<Database>): Repositories {
  async function idOf(name: string): Promise<number | undefined> {
    const row = await db
      .selectFrom('repositories')
      .select('id')
      .where('name', '=', name.toLowerCase())
      .executeTakeFirst();
    return row?.id;
  }

  async function rowsOf(id: number) {
    return await db
      .selectFrom('repositories')
      .select(['name', 'spelled', 'seen_at as seenAt'])
      .where('id', '=', id)
      .orderBy('seen_at', 'desc')
      .execute();
  }

  /** Of the branches of `from`, which is called `to` now. */
  async function carryOver(from: string, to: string): Promise<void> {
    await db.deleteFrom('branch_heads').where('repository', '=', to).execute();
    for (const table of ['branch_heads', 'pushes'] as const) {
      await db.updateTable(table).set({ repository: to }).where('repository', '=', from).execute();
    }
  }

  return {
    idOf,

    async see(id, spelled, now, current = false) {
      const name = spelled.toLowerCase();
      const [newest] = await rowsOf(id);
      if (newest?.name === name) return;
      if (!current && (await idOf(name)) === id) return;
      const row = { id, spelled, seen_at: Math.max(now, (newest?.seenAt ?? 0) + 1) };
      await db
        .insertInto('repositories')
        .values({ name, ...row })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
      if (newest !== undefined) await carryOver(newest.name, name);
    },

    async namesOf(name) {
      const id = await idOf(name);
      const [newest, ...former] = id === undefined ? [] : await rowsOf(id);
      return newest === undefined
        ? [name]
        : [newest.spelled, ...former.map(({ spelled }) => spelled)];
    },
  };
}
