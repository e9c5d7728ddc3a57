import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** What only one of several processes does at a time, by a name. */
export interface Leases {
  /** Makes it `holder`'s until `until`, or longer its holder's. False while it is somebody else's. */
  take(name: string, holder: string, until: number, now: number): Promise<boolean>;
  /** Gives it back, if it is still `holder`'s. */
  release(name: string, holder: string): Promise<void>;
  /** Ends every lease. Only for an engine that one process owns. */
  releaseAll(): Promise<void>;
}

export function createLeases(db: Kysely<Database>): Leases {
  return {
    async take(name, holder, until, now) {
      const row = await db
        .insertInto('leases')
        .values({ name, holder, lease_until: until })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ holder, lease_until: until })
            .where(({ eb, or }) =>
              or([eb('leases.holder', '=', holder), eb('leases.lease_until', '<=', now)]),
            ),
        )
        .returning('holder')
        .executeTakeFirst();
      return row !== undefined;
    },

    async release(name, holder) {
      await db.deleteFrom('leases').where('name', '=', name).where('holder', '=', holder).execute();
    },

    async releaseAll() {
      await db.deleteFrom('leases').execute();
    },
  };
}
