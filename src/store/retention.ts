import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql, type Kysely } from 'kysely';
import type { DeliveryOutcome } from '../model/delivery.ts';
import type { Engine } from './engine.ts';
import type { Database } from './tables.ts';

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
 * Takes away what is old, in batches of at most `limit` rows, each a transaction of its own that is soon over, so that whoever
 * else wants to write waits for one batch and not for all. Every batch reads through an index. What is under way or still to
 * be told is never taken.
 */
export interface Retention {
  /**
   * Runs that ended, with steps, log and callbacks, oldest first from behind `after`. Not the deployed run of an environment,
   * the last ten successes of a lane, the one that a rollback goes to, and those that have callbacks to be sent, dead ones, or
   * ones that a dead one must not overwrite; and none that ended after `fresh`.
   */
  runs(age: Age & { fresh: number }, after: number, limit: number): Promise<Batch>;
  /**
   * The payload and the verdicts of deliveries that are processed and have no run any more. The row with the id stays, so that
   * the delivery is known when it comes once more (G2).
   */
  payloads(age: Age, now: number, after: number, limit: number): Promise<Batch>;
  /** The rows of deliveries that have lost their payload already. Answers how many went. */
  deliveries(before: number, limit: number): Promise<number>;
  /** Callbacks that were given up. */
  deadCallbacks(before: number, limit: number): Promise<number>;
  /** Snapshots of specs that no run names, and that no run was made from since. */
  snapshots(before: number, limit: number): Promise<number>;
  /** What operators did. */
  audit(before: number, limit: number): Promise<number>;
  /** Moves of branches that deliveries told of. */
  pushes(before: number, limit: number): Promise<number>;
  /** Gives up to `limit` free pages of the file back to the disk, and says whether there are more. PostgreSQL does it itself. */
  giveBack(limit: number): Promise<boolean>;
}

export function createRetention(db: Kysely<Database>, engine: Engine): Retention {
  const deleted = async (result: Promise<{ numDeletedRows: bigint }[]>) =>
    (await result).reduce((sum, { numDeletedRows }) => sum + Number(numDeletedRows), 0);

  return {
    async runs(age, after, limit) {
      const newest = await newestOf(db, 'runs');
      const rows = await db
        .selectFrom('runs')
        .select(['seq', 'id', 'created_at', 'finished_at'])
        .where('seq', '>', after)
        .where('finished_at', 'is not', null)
        .orderBy('seq')
        .limit(limit)
        .execute();
      const old = rows.filter(
        ({ seq, finished_at: at }) =>
          at !== null && at < age.fresh && (at < age.before || seq <= newest - age.count),
      );
      let removed = 0;
      for (const { id } of old) {
        // SQLite's statements keep the whole process busy: others get their turn between them.
        await nextTurn();
        if (await removeRun(db, id, limit)) removed += 1;
      }
      const mayGoOn = rows.some(
        ({ seq, created_at: at }) => at < age.before || seq <= newest - age.count,
      );
      return { removed, last: mayGoOn ? rows.at(-1)?.seq : undefined };
    },

    async payloads(age, now, after, limit) {
      const newest = await newestOf(db, 'deliveries');
      const rows = await db
        .selectFrom('deliveries')
        .select(['seq', 'received_at'])
        .where('state', '<>', sql.lit('pending' as const))
        .where('pruned_at', 'is', null)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit)
        .execute();
      const old = rows.filter(
        ({ seq, received_at: at }) => at < age.before || seq <= newest - age.count,
      );
      if (old.length === 0) return { removed: 0, last: undefined };
      const result = await db
        .updateTable('deliveries')
        .set({ payload: '', outcome: JSON.stringify(FORGOTTEN), pruned_at: now })
        .where(
          'seq',
          'in',
          old.map(({ seq }) => seq),
        )
        .where('state', '<>', sql.lit('pending' as const))
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('runs').select('runs.seq').whereRef('runs.delivery', '=', 'deliveries.id'),
            ),
          ),
        )
        .executeTakeFirst();
      return { removed: Number(result.numUpdatedRows), last: rows.at(-1)?.seq };
    },

    deliveries: (before, limit) =>
      deleted(
        db
          .deleteFrom('deliveries')
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('deliveries as d')
              .select('d.seq')
              .where('d.pruned_at', 'is not', null)
              .where('d.received_at', '<', before)
              .orderBy('d.received_at')
              .limit(limit),
          )
          .execute(),
      ),

    deadCallbacks: (before, limit) =>
      deleted(
        db
          .deleteFrom('outbox')
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('outbox as o')
              .select('o.seq')
              .where('o.state', '=', sql.lit('dead' as const))
              .where('o.finished_at', '<', before)
              .orderBy('o.seq')
              .limit(limit),
          )
          // Said again: somebody may have made it pending meanwhile.
          .where('state', '=', sql.lit('dead' as const))
          .execute(),
      ),

    snapshots: (before, limit) =>
      deleted(
        db
          .deleteFrom('spec_snapshots')
          .where('digest', 'in', (eb) =>
            eb
              .selectFrom('spec_snapshots as s')
              .select('s.digest')
              .where('s.created_at', '<', before)
              .where(({ not, exists, selectFrom }) =>
                not(
                  exists(
                    selectFrom('runs')
                      .select('runs.seq')
                      .whereRef('runs.spec_digest', '=', 's.digest'),
                  ),
                ),
              )
              .orderBy('s.created_at')
              .limit(limit),
          )
          // Said again: whoever makes a run of it has made it young first (`snapshots.keep`).
          .where('created_at', '<', before)
          .execute(),
      ),

    audit: (before, limit) =>
      deleted(
        db
          .deleteFrom('audit')
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('audit as a')
              .select('a.seq')
              .where('a.at', '<', before)
              .orderBy('a.at')
              .limit(limit),
          )
          .execute(),
      ),

    pushes: (before, limit) =>
      deleted(
        db
          .deleteFrom('pushes')
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('pushes as p')
              .select('p.seq')
              .where('p.seen_at', '<', before)
              .orderBy('p.seen_at')
              .limit(limit),
          )
          .execute(),
      ),

    async giveBack(limit) {
      if (engine === 'postgres') return false;
      const { rows } = await sql<{ free: number }>`
        select freelist_count as free from pragma_freelist_count`.execute(db);
      const free = rows[0]?.free ?? 0;
      const mode = await sql<{ mode: number }>`
        select auto_vacuum as mode from pragma_auto_vacuum`.execute(db);
      if (mode.rows[0]?.mode !== INCREMENTAL || free <= PAGES_IN_HAND) return false;
      // Each statement gives back one page, and only the commit costs.
      await db.transaction().execute(async (trx) => {
        for (let page = 0; page < Math.min(limit, free - PAGES_IN_HAND); page += 1) {
          await sql`pragma incremental_vacuum(1)`.execute(trx);
        }
      });
      return free - PAGES_IN_HAND > limit;
    },
  };
}

/** https://www.sqlite.org/pragma.html#pragma_auto_vacuum */
const INCREMENTAL = 2;
/** Free pages (4 KiB each) that the file keeps, because the next rows need them. */
const PAGES_IN_HAND = 1000;

async function newestOf(db: Kysely<Database>, table: 'runs' | 'deliveries'): Promise<number> {
  const row = await db
    .selectFrom(table)
    .select((eb) => eb.fn.max<number | null>('seq').as('newest'))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

/** Removes a run that nothing needs. Its log goes first and piece by piece, because it may have thousands of them. */
async function removeRun(db: Kysely<Database>, id: string, limit: number): Promise<boolean> {
  const needed = await db
    .selectFrom('runs as r')
    .select('r.seq')
    .where('r.id', '=', id)
    .where(isRemovable())
    .executeTakeFirst();
  if (needed === undefined) return false;
  for (let gone = limit; gone >= limit;) {
    const result = await sql`
      delete from log_chunks where run_id = ${id} and seq in (
        select seq from log_chunks where run_id = ${id} order by seq limit ${limit}
      )`.execute(db);
    gone = Number(result.numAffectedRows ?? 0n);
    await nextTurn();
  }
  return await db.transaction().execute(async (trx) => {
    const result = await sql`
      delete from runs where seq in (select r.seq from runs as r where r.id = ${id} and ${isRemovable()})
    `.execute(trx);
    if ((result.numAffectedRows ?? 0n) === 0n) return false;
    await trx.deleteFrom('steps').where('run_id', '=', id).execute();
    await trx.deleteFrom('outbox').where('run_id', '=', id).execute();
    return true;
  });
}

/** Of a row `r` of runs: whether nothing needs it any more. */
function isRemovable() {
  return sql<boolean>`
    r.finished_at is not null
    and not exists (select 1 from environments e where e.lane = r.lane and e.spec = r.spec and e.run_id = r.id)
    and not exists (
      select 1 from outbox o where o.run_id = r.id and (
        o.state in ('pending', 'dead')
        or exists (
          select 1 from outbox earlier
          where earlier.target = o.target and earlier.seq < o.seq and earlier.state in ('pending', 'dead')
        )
      )
    )
    and not (r.state = 'succeeded' and (
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
}
