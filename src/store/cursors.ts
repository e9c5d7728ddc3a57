import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** How far something has been read that is read piece by piece. */
export interface Cursors {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string, now: number): Promise<void>;
}

export function createCursors(db: Kysely<Database>): Cursors {
  return {
    async get(name) {
      const row = await db
        .selectFrom('cursors')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    async set(name, value, now) {
      await db
        .insertInto('cursors')
        .values({ name, value, updated_at: now })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value, updated_at: now }))
        .execute();
    },
  };
}
