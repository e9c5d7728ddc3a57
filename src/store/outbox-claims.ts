import { sql, type Kysely } from 'kysely';
import type { Hold } from '../model/importance.ts';
import type { Engine } from './engine.ts';
import { fromRow, PENDING, type OutboxEntry } from './outbox-rows.ts';
import type { Database } from './tables.ts';

/** SQLite bounds how deep a condition may be. */
const MOST_HELD = 200;

/** Which entries may be claimed; default all. */
export interface Claimable {
  /** Only what goes to GitHub, or only what goes elsewhere. */
  to?: 'github' | 'receivers';
  /** Not what is held back (the first 200 of it). */
  held?: readonly Hold[];
  /** Not what has one of these targets. */
  except?: readonly string[];
}

/** Who sends what, one process at a time and each target in its order (G5). */
export interface OutboxClaims {
  /**
   * Takes due entries, each the oldest unfinished one of its target, and keeps them for `leaseMs`: the most important first, then
   * the oldest.
   */
  claim(now: number, leaseMs: number, limit: number, which?: Claimable): Promise<OutboxEntry[]>;
  /** Makes a claim last until `leaseUntil`. False when the entry is finished, or somebody else's by now. */
  renew(entry: OutboxEntry, leaseUntil: number): Promise<boolean>;
  /**
   * Ends an entry. False when it had ended, or, with `attempt`, when that is no longer its latest: the lease of whoever
   * asks has ended, and somebody else has claimed it.
   */
  finish(
    id: number,
    state: 'sent' | 'obsolete' | 'dead',
    now: number,
    error?: string,
    attempt?: number,
  ): Promise<boolean>;
  /**
   * Makes the newest sent entry behind the given one in its target pending again: whoever sent this one late may have
   * overwritten it. False when there is none.
   */
  repeatNewest(entry: OutboxEntry, now: number): Promise<boolean>;
  /** Puts a claimed entry back, to be tried again at `at`; with `attempt` as in `finish`. */
  postpone(id: number, at: number, error: string, attempt?: number): Promise<void>;
  /** Gives a claimed entry back, unsent and with the attempt not counted; it is due again at `at`. */
  giveBack(entry: OutboxEntry, at: number): Promise<void>;
  releaseAll(): Promise<void>;
}

export function createOutboxClaims(db: Kysely<Database>, engine: Engine): OutboxClaims {
  return {
    async claim(now, leaseMs, limit, { to, held = [], except = [] } = {}) {
      const rows = await db
        .updateTable('outbox')
        .set((eb) => ({ lease_until: now + leaseMs, attempts: eb('attempts', '+', 1) }))
        .where((outer) => {
          const due = outer
            .selectFrom('outbox as o')
            .select('o.seq')
            .where('o.state', '=', PENDING)
            .where('o.next_attempt_at', '<=', now)
            .where('o.lease_until', '<=', now)
            .where((where) =>
              where.and(
                held
                  .slice(0, MOST_HELD)
                  .map(({ account, importance }) =>
                    where.or([
                      where('o.priority', '<', importance),
                      where('o.account', 'is', null),
                      ...(account === undefined ? [] : [where('o.account', '!=', account)]),
                    ]),
                  ),
              ),
            )
            .where(({ not, exists, selectFrom }) =>
              not(
                exists(
                  selectFrom('outbox as earlier')
                    .select('earlier.seq')
                    .whereRef('earlier.target', '=', 'o.target')
                    .whereRef('earlier.seq', '<', 'o.seq')
                    .where('earlier.state', '=', PENDING),
                ),
              ),
            )
            .$if(to !== undefined, (query) =>
              query.where('o.account', to === 'github' ? 'is not' : 'is', null),
            )
            .$if(except.length > 0, (query) => query.where('o.target', 'not in', except))
            .orderBy('o.priority')
            .orderBy('o.seq')
            .limit(limit);
          if (engine === 'sqlite') return outer('seq', 'in', due);
          // What another process is about to take is not waited for. An array is made once; a subquery that "in" reads
          // again and again would lock others each time.
          return sql<boolean>`seq = any(array(${due.forUpdate('o').skipLocked()}))`;
        })
        .where('state', '=', PENDING)
        .where('lease_until', '<=', now)
        .returningAll()
        .execute();
      return rows.map(fromRow).sort((a, b) => a.importance - b.importance || a.id - b.id);
    },

    async renew(entry, leaseUntil) {
      const result = await db
        .updateTable('outbox')
        .set({ lease_until: leaseUntil })
        .where('seq', '=', entry.id)
        .where('state', '=', PENDING)
        .where('attempts', '=', entry.attempts)
        // Zero: it was given back, which a renewal that was under way then must not undo.
        .where('lease_until', '>', 0)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async finish(id, state, now, error, attempt) {
      const result = await db
        .updateTable('outbox')
        .set({ state, finished_at: now, lease_until: 0, error: error ?? null })
        .where('seq', '=', id)
        .where('state', '=', PENDING)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async repeatNewest(entry, now) {
      const result = await db
        .updateTable('outbox')
        .set({ state: 'pending', next_attempt_at: now, lease_until: 0, finished_at: null })
        .where('seq', '=', (eb) =>
          eb
            .selectFrom('outbox as later')
            .select((of) => of.fn.max('later.seq').as('newest'))
            .where('later.target', '=', entry.target)
            .where('later.seq', '>', entry.id)
            .where('later.state', 'in', ['pending', 'sent']),
        )
        // What still waits is sent anyway.
        .where('state', '=', 'sent')
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async postpone(id, at, error, attempt) {
      await db
        .updateTable('outbox')
        .set({ next_attempt_at: at, lease_until: 0, error })
        .where('seq', '=', id)
        .where('state', '=', PENDING)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .execute();
    },

    async giveBack(entry, at) {
      await db
        .updateTable('outbox')
        .set((eb) => ({
          next_attempt_at: at,
          lease_until: 0,
          attempts: eb('attempts', '-', 1),
        }))
        .where('seq', '=', entry.id)
        .where('attempts', '=', entry.attempts)
        .where('state', '=', PENDING)
        .execute();
    },

    async releaseAll() {
      await db
        .updateTable('outbox')
        .set({ lease_until: 0 })
        .where('state', '=', PENDING)
        .where('lease_until', '>', 0)
        .execute();
    },
  };
}
