import { sql } from 'kysely';
import { IMPORTANCE, NO_WRITES, type WriteCounts, type WriteLog } from '../model/importance.ts';
import { lockUntilEnd } from './locks.ts';
import { queries, values, when, type Db } from './query.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A write is noted when it is allowed, and is with GitHub up to this much later: it counts until then is out of the window. */
const UNDER_WAY_MS = 10_000;
/** Clocks of replicas differ by less. What is later than that was written before the clock was set back, and does not count. */
const AHEAD_MS = 10 * MINUTE_MS;

/** The log of writes to GitHub on either engine. With SQLite there is one process, whose transactions wait for each other. */
export function createGitHubWrites(db: Db): WriteLog {
  const { change } = queries(db);
  return {
    async reserve(account, now, decide) {
      await db.transaction().execute(async (trx) => {
        await lockUntilEnd(trx, 'accounts', account);
        const at = now();
        const counts = await count(trx, at, account);
        const writes = decide(counts.get(account) ?? NO_WRITES);
        if (writes.length === 0) return;
        const rows = writes.map((importance) => ({ account, at, importance }));
        await queries(trx).change`insert into github_writes ${values(rows)}`;
      });
    },

    counts: (now) => count(db, now),

    async forget(now) {
      await change`delete from github_writes where at < ${now - HOUR_MS - AHEAD_MS}`;
      await change`delete from github_writes where at > ${now + AHEAD_MS}`;
    },
  };
}

async function count(db: Db, now: number, account?: string): Promise<Map<string, WriteCounts>> {
  const since = (ms: number) => sql`at > ${now - ms}`;
  const ends = sql`importance <= ${sql.lit(IMPORTANCE.olderFinal)}`;
  type CountRow = { account: string; allMinute: number; allHour: number } & WriteCounts['ends'];
  const rows = await queries(db).all<CountRow>`
    select account,
      count(*) filter (where ${since(MINUTE_MS + UNDER_WAY_MS)}) as "allMinute",
      count(*) as "allHour",
      count(*) filter (where ${ends} and ${since(MINUTE_MS + UNDER_WAY_MS)}) as minute,
      count(*) filter (where ${ends} and ${since(10 * MINUTE_MS)}) as "tenMinutes",
      count(*) filter (where ${ends} and ${since(30 * MINUTE_MS)}) as "halfHour",
      count(*) filter (where ${ends}) as hour
    from github_writes
    where ${since(HOUR_MS + UNDER_WAY_MS)} and at <= ${now + AHEAD_MS}
      ${when(account, () => sql`and account = ${account}`)}
    group by account`;
  return new Map(
    rows.map(({ account: name, allMinute: minute, allHour: hour, ...rest }) => [
      name,
      { minute, hour, ends: rest },
    ]),
  );
}
