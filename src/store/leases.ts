import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** What only one of several processes does at a time, by a name. */
export interface Leases {
  /** Makes it `owner`'s until `until`, or longer its owner's. False while it is somebody else's. */
  take(name: string, owner: string, until: number, now: number): Promise<boolean>;
  /** Gives it back, if it is still `owner`'s. */
  release(name: string, owner: string): Promise<void>;
  /** Ends every lease. Only for an engine that one process owns. */
  releaseAll(): Promise<void>;
}

export function createLeases(db: Kysely<Database>): Leases {
  return {
    async take(name, owner, until, now) {
      const row = await db
        .insertInto('leases')
        .values({ name, owner, lease_until: until })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ owner, lease_until: until })
            .where(({ eb, or }) =>
              or([eb('leases.owner', '=', owner), eb('leases.lease_until', '<=', now)]),
            ),
        )
        .returning('owner')
        .executeTakeFirst();
      return row !== undefined;
    },

    async release(name, owner) {
      await db.deleteFrom('leases').where('name', '=', name).where('owner', '=', owner).execute();
    },

    async releaseAll() {
      await db.deleteFrom('leases').execute();
    },
  };
}
