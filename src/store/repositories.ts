import { sql } from 'kysely';
import { inPlace, queries, type Db, type Sql } from './query.ts';

/** What repositories are called now and were called before. A name is the one repository's that was last seen with it. */
export type Repositories = ReturnType<typeof createRepositories>;

type Names = readonly [string, ...string[]];

/** Repositories of which the names are kept in memory. */
const MOST_KEPT = 10_000;

export function createRepositories(db: Db) {
  const { all, change, value } = queries(db);

  /** GitHub's number of a repository; undefined when it was never seen. */
  const idOf = (name: string) =>
    value<number>`select id from repositories where name = ${name.toLowerCase()}`;

  const rowsOf = (id: number | Sql) =>
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
     * Answers whether it changed anything.
     */
    async see(id: number, spelled: string, now: number, current = false): Promise<boolean> {
      const name = spelled.toLowerCase();
      const [newest] = await rowsOf(id);
      if (newest?.name === name) return false;
      if (!current && (await idOf(name)) === id) return false;
      const seenAt = Math.max(now, (newest?.seenAt ?? 0) + 1);
      const row = { name, id, spelled, seen_at: seenAt };
      await change`insert into repositories ${inPlace(['name'], [row])}`;
      if (newest !== undefined) await carryOver(newest.name, name);
      return true;
    },

    /** All names of the repository that is or was called `name`, the one it has now first; `name` alone when it was never seen. */
    async namesOf(name: string): Promise<Names> {
      const [newest, ...former] = await rowsOf(
        sql`(select id from repositories where name = ${name.toLowerCase()})`,
      );
      if (newest === undefined) return [name];
      return [newest.spelled, ...former.map(({ spelled }) => spelled)];
    },
  };
}

/** `Repositories` that answer again from memory. */
export interface RepositoriesInMemory extends Repositories {
  /** As `namesOf` a repository that was just seen, as with `see`, under this number (where the sender gave one). */
  namesSeen(id: number | undefined, name: string, now: number): Promise<Names>;
  /** What `namesSeen` would answer, where that is in memory. */
  namesKept(id: number | undefined, name: string): Names | undefined;
  /** For deliveries that are looked at at one moment: what was answered is kept for these, also where the table is `shared`. */
  atOneMoment(): RepositoriesInMemory;
}

/** What was answered is kept until a name changes; nothing is where other processes write to the table (`shared`). */
export function keepNames(repositories: Repositories, shared: boolean): RepositoriesInMemory {
  const kept = new Map<string, Names>();
  let changes = 0;

  async function see(...args: Parameters<Repositories['see']>): Promise<boolean> {
    let changed = true;
    try {
      changed = await repositories.see(...args);
    } finally {
      if (changed) {
        changes += 1;
        kept.clear();
      }
    }
    return changed;
  }

  const inMemory: RepositoriesInMemory = {
    ...repositories,
    see,
    atOneMoment: () => (shared ? keepNames(repositories, false) : inMemory),
    namesKept: (id, name) => kept.get(`${id} ${name}`),
    async namesSeen(id, name, now) {
      const known = kept.get(`${id} ${name}`);
      if (known !== undefined) return known;
      if (id !== undefined) await see(id, name, now);
      const before = changes;
      const names = await repositories.namesOf(name);
      if (kept.size >= MOST_KEPT) kept.clear();
      if (!shared && changes === before) kept.set(`${id} ${name}`, names);
      return names;
    },
  };
  return inMemory;
}
