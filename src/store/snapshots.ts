import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

const DAY_MS = 86_400_000;

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
        .onConflict((conflict) =>
          // Young again, and on PostgreSQL locked, so that retention leaves alone what a run is made from.
          conflict
            .column('digest')
            .doUpdateSet({ created_at: now })
            .where('spec_snapshots.created_at', '<', now - DAY_MS),
        )
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
