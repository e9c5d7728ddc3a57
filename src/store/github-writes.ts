import { sql, type Kysely } from 'kysely';
import { IMPORTANCE, NO_WRITES, type WriteCounts, type WriteLog } from '../model/importance.ts';
import type { Engine } from './engine.ts';
import type { Database } from './tables.ts';

/** Keeps the advisory locks on accounts apart from other locks in the same database. */
const ACCOUNT_LOCKS = 1_297_238_357;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A write is noted when it is allowed, and is with GitHub up to this much later: it counts until then is out of the window. */
const UNDER_WAY_MS = 10_000;
/** Clocks of replicas differ by less. What is later than that was written before the clock was set back, and does not count. */
const AHEAD_MS = 10 * MINUTE_MS;

/** The log of writes to GitHub on either engine. With SQLite there is one process, whose transactions wait for each other. */
export function createGitHubWrites(db: Kysely<Database>, engine: Engine): WriteLog {
  return {
    async reserve(account, now, decide) {
      await db.transaction().execute(async (trx) => {
        if (engine === 'postgres') {
          await sql`select pg_advisory_xact_lock(${sql.lit(ACCOUNT_LOCKS)}, hashtext(${account}))`.execute(
            trx,
          );
        }
        const at = now();
        const counts = await count(trx, at, account);
        const writes = decide(counts.get(account) ?? NO_WRITES);
        if (writes.length === 0) return;
        const rows = writes.map((importance) => ({ account, at, importance }));
        await trx.insertInto('github_writes').values(rows).execute();
      });
    },

    counts: (now) => count(db, now),

    async forget(now) {
      await sql`delete from github_writes where at < ${now - HOUR_MS - AHEAD_MS}`.execute(db);
      await sql`delete from github_writes where at > ${now + AHEAD_MS}`.execute(db);
    },
  };
}

async function count(
  db: Kysely<Database>,
  now: number,
  account?: string,
): Promise<Map<string, WriteCounts>> {
  const minute = sql`at > ${now - MINUTE_MS - UNDER_WAY_MS}`;
  const ends = sql`importance <= ${sql.lit(IMPORTANCE.olderFinal)}`;
  const { rows } = await sql<Record<string, number | string>>`
    select account,
      count(*) filter (where ${minute}) as minute,
      count(*) as hour,
      count(*) filter (where ${ends} and ${minute}) as "endsMinute",
      count(*) filter (where ${ends} and at > ${now - 10 * MINUTE_MS}) as "endsTenMinutes",
      count(*) filter (where ${ends} and at > ${now - 30 * MINUTE_MS}) as "endsHalfHour",
      count(*) filter (where ${ends}) as "endsHour"
    from github_writes
    where at > ${now - HOUR_MS - UNDER_WAY_MS} and at <= ${now + AHEAD_MS}
      ${account === undefined ? sql`` : sql`and account = ${account}`}
    group by account`.execute(db);
  return new Map(
    rows.map((row) => {
      const number = (name: string) => Number(row[name]);
      const ofEnds = {
        minute: number('endsMinute'),
        tenMinutes: number('endsTenMinutes'),
        halfHour: number('endsHalfHour'),
        hour: number('endsHour'),
      };
      return [
        String(row['account']),
        { minute: number('minute'), hour: number('hour'), ends: ofEnds },
      ];
    }),
  );
}
