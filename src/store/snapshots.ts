import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** The exact text of a spec that some run ran. */
export interface SpecSnapshot {
  digest: string;
  name: string;
  file: string;
  text: string;
}

export interface Snapshots {
  keep(snapshot: SpecSnapshot, now: number): Promise<void>;
  get(digest: string): Promise<SpecSnapshot | undefined>;
}

export function createSnapshots(db: Kysely<Database>): Snapshots {
  return {
    async keep(snapshot, now) {
      await db
        .insertInto('spec_snapshots')
        .values({ ...snapshot, created_at: now })
        .onConflict((conflict) => conflict.column('digest').doNothing())
        .execute();
    },

    async get(digest) {
      return await db
        .selectFrom('spec_snapshots')
        .select(['digest', 'name', 'file', 'text'])
        .where('digest', '=', digest)
        .executeTakeFirst();
    },
  };
}
