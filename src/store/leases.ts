import { sql } from 'kysely';
import { createClaims } from './claims.ts';
import { queries, type Db } from './query.ts';

/** What only one of several processes does at a time, by a name. */
export type Leases = ReturnType<typeof createLeases>;

export function createLeases(db: Db) {
  const { first } = queries(db);
  const { release, releaseAll } = createClaims(db, 'leases', sql`true`);
  return {
    /** Makes it `holder`'s until `until`, or longer its holder's. False while it is another's. */
    async take(name: string, holder: string, until: number, now: number): Promise<boolean> {
      const taken =
        await first`insert into leases (name, holder, lease_until) values (${name}, ${holder}, ${until})
        on conflict (name) do update set holder = excluded.holder, lease_until = excluded.lease_until
        where leases.holder = excluded.holder or leases.lease_until <= ${now} returning name`;
      return taken !== undefined;
    },

    /** Gives it back, if it is still `holder`'s. */
    release: (name: string, holder: string) => release(sql`name = ${name} and holder = ${holder}`),

    /** Ends every lease. Only for an engine that one process owns. */
    releaseAll,
  };
}
