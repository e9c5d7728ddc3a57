import { sql } from 'kysely';
import { createClaims } from './claims.ts';
import { inPlace, queries, type Db } from './query.ts';

/** What only one of several processes does at a time, by a name. */
export type Leases = ReturnType<typeof createLeases>;

export function createLeases(db: Db) {
  const { change } = queries(db);
  const { release, releaseAll } = createClaims(db, 'leases', sql`true`);
  return {
    /** Makes it `holder`'s until `until`, or longer its holder's. False while it is another's. */
    async take(name: string, holder: string, until: number, now: number): Promise<boolean> {
      const row = { name, holder, lease_until: until };
      const taken = await change`insert into leases ${inPlace(['name'], [row])}
        where leases.holder = excluded.holder or leases.lease_until <= ${now}`;
      return taken > 0;
    },

    /** Gives it back, if it is still `holder`'s. */
    release: (name: string, holder: string) => release(sql`name = ${name} and holder = ${holder}`),

    /** Ends every lease. Only for an engine that one process owns. */
    releaseAll,
  };
}
