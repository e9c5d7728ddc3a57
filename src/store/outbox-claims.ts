import { sql } from 'kysely';
import type { Answered } from '../model/callback.ts';
import type { Hold } from '../model/importance.ts';
import { attemptOf, createClaims, freeOf } from './claims.ts';
import type { OutboxEntry } from './outbox.ts';
import { andNotIn, queries, when, type Db, type Row } from './query.ts';

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

/** What one process sends at a time, each target in its order (G5). */
export function createOutboxClaims(db: Db, read: (row: Row) => OutboxEntry) {
  const { change } = queries(db);
  const claims = createClaims(db, 'outbox', sql`state = 'pending'`);
  const mine = ({ id, attempts }: OutboxEntry) => attemptOf(sql`seq = ${id}`, attempts);

  return {
    /**
     * Takes due entries, each the oldest unfinished one of its target, and keeps them for `leaseMs`: the most important first, then
     * the oldest.
     */
    async claim(
      now: number,
      leaseMs: number,
      limit: number,
      { to, held = [], except = [] }: Claimable = {},
    ): Promise<OutboxEntry[]> {
      const allowed = held.slice(0, MOST_HELD).map(
        ({ account, importance }) => sql`and (o.priority < ${importance} or o.account is null
          ${when(account, () => sql`or o.account <> ${account}`)})`,
      );
      const due = sql`select o.seq from outbox as o
        where o.state = 'pending' and o.next_attempt_at <= ${now} and o.lease_until <= ${now}
        ${sql.join(allowed, sql` `)}
        and not exists (
          select 1 from outbox as earlier
          where earlier.target = o.target and earlier.seq < o.seq and earlier.state = 'pending')
        ${when(to, () => (to === 'github' ? sql`and o.account is not null` : sql`and o.account is null`))}
        ${andNotIn(sql`o.target`, except)}
        order by o.priority, o.seq limit ${limit}`;
      const which = freeOf(db, sql`seq`, due);
      const rows = await claims.take(which, sql`attempts = attempts + 1`, now + leaseMs, now);
      return rows.map(read).sort((a, b) => a.importance - b.importance || a.id - b.id);
    },

    /** Makes a claim last until `leaseUntil`. False when the entry is finished, or another's by now. */
    renew: async (entry: OutboxEntry, leaseUntil: number) =>
      (await claims.renew(mine(entry), leaseUntil)) !== undefined,

    /**
     * Ends an entry. False when it had ended, or, with `attempt`, when that is no longer its latest: the lease of the one that
     * asks has ended, and another has claimed it. `answer`: what the other side said to one that was sent.
     */
    finish: (
      id: number,
      state: 'sent' | 'obsolete' | 'dead',
      now: number,
      error?: string,
      attempt?: number,
      answer?: Answered,
    ) =>
      claims.release(attemptOf(sql`seq = ${id}`, attempt), {
        state,
        finished_at: now,
        error,
        answer: answer && JSON.stringify(answer),
      }),

    /** Puts a claimed entry back, to be tried again at `at`; with `attempt` as in `finish`. */
    postpone: (id: number, at: number, error: string, attempt?: number) =>
      claims.release(attemptOf(sql`seq = ${id}`, attempt), { next_attempt_at: at, error }),

    /** Gives a claimed entry back, unsent and with the attempt not counted; it is due again at `at`. */
    giveBack: (entry: OutboxEntry, at: number) =>
      claims.release(mine(entry), { next_attempt_at: at, attempts: sql`attempts - 1` }),

    releaseAll: claims.releaseAll,

    /**
     * Makes the newest sent entry behind the given one in its target pending again: one that sent this late may have
     * overwritten it. False when there is none.
     */
    async repeatNewest({ id, target }: OutboxEntry, now: number): Promise<boolean> {
      // What still waits is sent anyway.
      const repeated = await change`update outbox
        set state = 'pending', next_attempt_at = ${now}, lease_until = 0, finished_at = null
        where state = 'sent' and seq = (
          select max(later.seq) from outbox as later
          where later.target = ${target} and later.seq > ${id} and later.state in ('pending', 'sent'))`;
      return repeated > 0;
    },
  };
}
