import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { DeliveryOutcome } from '../model/delivery.ts';
import { PROTECTION } from '../model/protection.ts';
import { planKey } from './plans.ts';
import { engineOf, list, queries, type Db, type Queries, type Sql } from './query.ts';

/**
 * Newest successes of a spec in a lane that stay whatever their age: what one rolls back to. Those that were made by hand push
 * out none that an event made, only each other.
 */
const SUCCESSES_KEPT = 10;

/** What is left of the verdicts on a delivery. */
const FORGOTTEN: DeliveryOutcome = {
  summary: 'Processed; its payload and the verdicts on it are no longer kept',
  specs: [],
};

/** What is old: older than `before` (milliseconds since the epoch), or not among the newest `count`. */
export interface Age {
  before: number;
  count: number;
}

/** What one batch did. It looked at rows up to the number `last`; undefined when nothing old is left behind them. */
export interface Batch {
  removed: number;
  last: number | undefined;
}

/**
 * Takes away what is old, in batches of at most `limit` rows, each a transaction of its own that is soon over, so that other
 * writers wait for one batch and not for all. Every batch reads through an index. What is under way or still to be told is
 * never taken.
 */
export type Retention = ReturnType<typeof createRetention>;

export function createRetention(db: Db) {
  const { all, change, first, value } = queries(db);

  /**
   * Removes the oldest of the rows that are older than `before`, and says how many went. `order` is what an index of them
   * begins with. What is old is asked again where it is removed, because it may have changed meanwhile.
   */
  function removal(table: Sql, key: Sql, at: Sql, which: Sql, order = at) {
    return (before: number, limit: number): Promise<number> => {
      const old = sql`${at} < ${before} and ${which}`;
      return change`delete from ${table} where ${old} and (${key}) in (
        select ${key} from ${table} where ${old} order by ${order} limit ${limit})`;
    };
  }

  const newestOf = async (table: Sql) => (await value<number>`select max(seq) from ${table}`) ?? 0;

  return {
    /**
     * Runs that ended, with steps, log and callbacks, oldest first from behind `after`. Not the deployed run of an environment, the run
     * of a preview that is there, the last ten successes of a lane, the one that a rollback goes to, and those that have callbacks to be sent, dead ones, or
     * ones that a dead one must not overwrite; and none that ended after `fresh`.
     */
    async runs(age: Age & { fresh: number }, after: number, limit: number): Promise<Batch> {
      const newest = await newestOf(sql`runs`);
      const rows = await all<{ seq: number; id: string; createdAt: number; finishedAt: number }>`
        select seq, id, created_at as "createdAt", finished_at as "finishedAt" from runs
        where seq > ${after} and finished_at is not null order by seq limit ${limit}`;
      const isOld = (seq: number, at: number) => at < age.before || seq <= newest - age.count;
      let removed = 0;
      for (const { id, seq, finishedAt } of rows) {
        if (finishedAt >= age.fresh || !isOld(seq, finishedAt)) continue;
        // SQLite's statements keep the whole process busy: others get their turn between them.
        await nextTurn();
        if (await removeRun(db, id, limit)) removed += 1;
      }
      const mayGoOn = rows.some(({ seq, createdAt }) => isOld(seq, createdAt));
      return { removed, last: mayGoOn ? rows.at(-1)?.seq : undefined };
    },

    /**
     * The payload, the headers and the verdicts of deliveries that are processed and have no run any more. The row with the id stays, so that
     * the delivery is known when it comes once more (G2).
     */
    async payloads(age: Age, now: number, after: number, limit: number): Promise<Batch> {
      const newest = await newestOf(sql`deliveries`);
      const rows = await all<{ seq: number; at: number }>`
        select seq, received_at as at from deliveries
        where state <> 'pending' and pruned_at is null and seq > ${after} order by seq limit ${limit}`;
      const old = rows.filter(({ seq, at }) => at < age.before || seq <= newest - age.count);
      if (old.length === 0) return { removed: 0, last: undefined };
      const removed = await change`
        update deliveries set payload = '', callback = null, headers = null, outcome = ${JSON.stringify(FORGOTTEN)}, pruned_at = ${now}
        where seq in ${list(old.map(({ seq }) => seq))} and state <> 'pending'
        and not exists (select 1 from runs where runs.delivery = deliveries.id)
        and not exists (select 1 from batch_deliveries b where b.delivery = deliveries.id)`;
      return { removed, last: rows.at(-1)?.seq };
    },

    /** The rows of deliveries that have lost their payload already. */
    deliveries: removal(sql`deliveries`, sql`seq`, sql`received_at`, sql`pruned_at is not null`),
    /** Callbacks that were given up. */
    deadCallbacks: removal(sql`outbox`, sql`seq`, sql`finished_at`, sql`state = 'dead'`, sql`seq`),
    /** Snapshots of specs that no run names, and that no run was made from since. */
    snapshots: removal(
      sql`spec_snapshots`,
      sql`digest`,
      sql`created_at`,
      sql`not exists (select 1 from runs where runs.spec_digest = spec_snapshots.digest)`,
    ),
    /** What operators did. */
    audit: removal(sql`audit`, sql`seq`, sql`at`, sql`true`),
    /** Moves of branches that deliveries told of. */
    pushes: removal(sql`pushes`, sql`seq`, sql`seen_at`, sql`true`),

    /** Pull requests that were last told of before, with what is over of their callbacks. */
    async plans(before: number, limit: number): Promise<number> {
      return await db.transaction().execute(async (trx) => {
        const inside = queries(trx);
        const gone = await inside.column<string>`delete from plans where due_at is null and id in (
          select id from plans where noted_at < ${before} and due_at is null order by noted_at limit ${limit})
          returning id`;
        if (gone.length === 0) return 0;
        for (const table of ['outbox', 'outbox_numbers']) {
          await inside.change`delete from ${sql.table(table)} where run_id in ${list(gone.map(planKey))}`;
        }
        return gone.length;
      });
    },

    /** Previews of which nothing is left since. */
    previews: removal(
      sql`previews`,
      sql`spec, repository, number`,
      sql`noted_at`,
      sql`state = 'ended'`,
    ),

    /** Gives up to `limit` free pages of the file back to the disk, and says whether there are more. PostgreSQL does it itself. */
    async giveBack(limit: number): Promise<boolean> {
      if (engineOf(db) === 'postgres') return false;
      const file = await first<{ free: number; mode: number }>`
        select freelist_count as free, auto_vacuum as mode
        from pragma_freelist_count, pragma_auto_vacuum`;
      const spare = (file?.free ?? 0) - PAGES_IN_HAND;
      if (file?.mode !== INCREMENTAL || spare <= 0) return false;
      // Each statement gives back one page, and only the commit costs.
      await db.transaction().execute(async (trx) => {
        for (let page = 0; page < Math.min(limit, spare); page += 1) {
          await sql`pragma incremental_vacuum(1)`.execute(trx);
        }
      });
      return spare > limit;
    },
  };
}

/** https://www.sqlite.org/pragma.html#pragma_auto_vacuum */
const INCREMENTAL = 2;
/** Free pages (4 KiB each) that the file keeps, because the next rows need them. */
const PAGES_IN_HAND = 1000;

/** Tables of which the rows go with their run. */
const OF_RUNS = ['steps', 'gate_answers', 'step_gates', 'chains', 'outbox', 'outbox_numbers'];

/** Removes a run that nothing needs. Its log goes first and piece by piece, because it may have thousands of them. */
async function removeRun(db: Db, id: string, limit: number): Promise<boolean> {
  const { change, isThere } = queries(db);
  const run = sql`select r.seq from runs as r where r.id = ${id} and ${IS_REMOVABLE}`;
  if (!(await isThere`${run}`)) return false;
  for (let gone = limit; gone >= limit; await nextTurn()) {
    gone = await change`delete from log_chunks where run_id = ${id} and seq in (
      select seq from log_chunks where run_id = ${id} order by seq limit ${limit})`;
  }
  return await db.transaction().execute(async (trx) => {
    const inside = queries(trx);
    const [gone] = await inside.all<{ batch: string | null }>`
      delete from runs where seq in (${run}) returning batch`;
    if (gone === undefined) return false;
    for (const table of OF_RUNS) {
      await inside.change`delete from ${sql.table(table)} where run_id = ${id}`;
    }
    if (gone.batch !== null) await forgetBatch(inside, gone.batch);
    return true;
  });
}

/** What a batch took, when no run has it or repeats it. */
async function forgetBatch({ change }: Queries, batch: string): Promise<void> {
  const isGone = sql`not exists (select 1 from runs where runs.batch = ${batch})`;
  await change`delete from batch_deliveries where batch = ${batch} and ${isGone}`;
  await change`delete from batches where run_id = ${batch} and ${isGone}`;
}

/** Of a row `r` of runs: whether nothing needs it any more. */
const IS_REMOVABLE = sql`
    r.finished_at is not null
    and not exists (select 1 from environments e where e.lane = r.lane and e.spec = r.spec and e.run_id = r.id)
    and not exists (select 1 from chains c where c.run_id = r.id and c.state = 'waiting')
    and not exists (select 1 from previews p where p.run_id = r.id and p.state <> 'ended')
    and not exists (
      select 1 from outbox o where o.run_id = r.id and (
        o.state in ('pending', 'dead')
        or exists (
          select 1 from outbox earlier
          where earlier.target = o.target and earlier.seq < o.seq and earlier.state in ('pending', 'dead')
        )
      )
    )
    and not (r.state = 'succeeded' and r.event <> ${sql.lit(PROTECTION)} and (
      not exists (
        select 1 from runs later
        where later.spec = r.spec and later.lane = r.lane and later.state = 'succeeded' and later.seq > r.seq
        and (later.cause = 'event' or r.cause <> 'event')
        limit 1 offset ${sql.lit(SUCCESSES_KEPT - 1)}
      )
      or exists (
        select 1 from environments e join runs deployed on deployed.id = e.run_id
        where e.lane = r.lane and e.spec = r.spec and deployed.seq > r.seq and deployed.sha <> r.sha
        and not exists (
          select 1 from runs between_them
          where between_them.spec = r.spec and between_them.lane = r.lane
          and between_them.state = 'succeeded' and between_them.sha <> deployed.sha
          and between_them.seq > r.seq and between_them.seq < deployed.seq
        )
      )
    ))`;
