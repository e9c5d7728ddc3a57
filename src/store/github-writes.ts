import { sql, type Kysely } from 'kysely';
import type { Importance, WriteLog, WritesSeen } from '../model/importance.ts';
import type { Engine } from './engine.ts';
import type { Database } from './tables.ts';

/** Sets the advisory locks on accounts apart from other locks in the same database. */
const ACCOUNT_LOCKS = 1_297_238_357;

/** The log of writes to GitHub on either engine. With SQLite there is one process, whose transactions wait for each other. */
export function createGitHubWrites(db: Kysely<Database>, engine: Engine): WriteLog {
  return {
    async reserve(account, seen, decide) {
      return await db.transaction().execute(async (trx) => {
        if (engine === 'postgres') {
          await sql`select pg_advisory_xact_lock(${sql.lit(ACCOUNT_LOCKS)}, hashtext(${account}))`.execute(
            trx,
          );
        }
        const write = decide(await readAfter(trx, account, seen));
        if (write === undefined) return undefined;
        const row = await trx
          .insertInto('github_writes')
          .values({ account, at: write.at, importance: write.importance })
          .returning('seq')
          .executeTakeFirstOrThrow();
        return row.seq;
      });
    },

    after: (account, seen) => readAfter(db, account, seen),

    async accounts() {
      const rows = await db.selectFrom('github_writes').select('account').distinct().execute();
      return rows.map((row) => row.account);
    },

    async forget(before) {
      await db.deleteFrom('github_writes').where('at', '<', before).execute();
    },
  };
}

/** Numbers grow in the order in which an account's writes were noted, because each was noted under the account's lock. */
async function readAfter(db: Kysely<Database>, account: string, seen: number): Promise<WritesSeen> {
  const rows = await db
    .selectFrom('github_writes')
    .select([
      'importance',
      sql<number | string>`at / 1000`.as('second'),
      (eb) => eb.fn.countAll<number | string>().as('count'),
      (eb) => eb.fn.max('seq').as('last'),
    ])
    .where('account', '=', account)
    .where('seq', '>', seen)
    .groupBy(['importance', sql`at / 1000`])
    .execute();
  return {
    upTo: Math.max(seen, ...rows.map((row) => row.last)),
    writes: rows.map((row) => ({
      importance: row.importance as Importance,
      second: Number(row.second),
      count: Number(row.count),
    })),
  };
}
