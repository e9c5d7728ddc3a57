import { sql, type Kysely, type Selectable } from 'kysely';
import type { Callback } from '../model/callback.ts';
import type { Engine } from './engine.ts';
import { IMPORTANCE, type Hold, type Importance } from '../model/importance.ts';
import { page, type Page, type PageRequest } from './page.ts';
import type { Database, OutboxTable } from './tables.ts';

export type OutboxState = 'pending' | 'sent' | 'obsolete' | 'dead';

/** A callback on its way. */
export interface OutboxEntry {
  id: number;
  run: string;
  /** Entries of one target are sent one after the other, oldest first. */
  target: string;
  callback: Callback;
  state: OutboxState;
  attempts: number;
  nextAttemptAt: number;
  /** Why the last attempt failed, or why it will never be sent. */
  error: string | undefined;
  createdAt: number;
  finishedAt: number | undefined;
  importance: Importance;
}

/** A callback to be put into the outbox. */
export interface NewCallback {
  target: string;
  callback: Callback;
  /** Default: most important. */
  importance?: Importance;
  /** Whose budget at GitHub it is paid from; undefined for what does not go there. */
  account?: string | undefined;
  /** Lane and spec of its run. */
  lane?: string;
}

/** A literal and not a parameter: with a parameter SQLite cannot use the index of pending rows. */
const PENDING = sql.lit('pending' as const);
const DEAD = sql.lit('dead' as const);

/** SQLite bounds how deep a condition may be. */
const MOST_HELD = 200;

export interface Outbox {
  /**
   * Puts callbacks in, each behind those of its target. What waits before it in its target becomes as important as it is, since
   * it has to go first; and the final status of an older run of the lane becomes an older final status.
   */
  add(run: string, callbacks: readonly NewCallback[], now: number): Promise<void>;
  /**
   * Takes due entries, each the oldest unfinished one of its target, and keeps them for `leaseMs`: the most important first, then
   * the oldest, without those that `held` names (the first 200 of it).
   */
  claim(
    now: number,
    leaseMs: number,
    limit: number,
    held?: readonly Hold[],
  ): Promise<OutboxEntry[]>;
  /** Gives a claimed entry back, unsent and with the attempt not counted; it is due again at `at`. */
  giveBack(entry: OutboxEntry, at: number): Promise<void>;
  /**
   * Entries of a target that come after the given one, oldest first: those to be sent and those that were sent, because
   * a dead entry that is revived must not overwrite what the other side has heard since.
   */
  laterInTarget(entry: OutboxEntry): Promise<OutboxEntry[]>;
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
  /** Puts a claimed entry back, to be tried again at `at`; with `attempt` as in `finish`. */
  postpone(id: number, at: number, error: string, attempt?: number): Promise<void>;
  /** Finishes all that is pending in a target as `obsolete`, and says why. */
  abandonTarget(target: string, now: number, reason: string): Promise<void>;
  /**
   * Makes a dead entry pending again, as one that was tried once. False when it is not dead. What died of the same
   * Deployment comes with it: neither its making nor its statuses mean anything alone.
   */
  revive(id: number, now: number): Promise<boolean>;
  /** Makes every dead entry pending again, and says how many there were. */
  reviveAll(now: number): Promise<number>;
  releaseAll(): Promise<void>;
  get(id: number): Promise<OutboxEntry | undefined>;
  ofRun(run: string): Promise<OutboxEntry[]>;
  list(
    request: PageRequest,
    filter: { state?: OutboxState | undefined },
  ): Promise<Page<OutboxEntry>>;
  /** How many wait, and how many were given up; both are few, however many were sent. */
  countOpen(): Promise<{ pending: number; dead: number }>;
}

export function createOutbox(db: Kysely<Database>, engine: Engine): Outbox {
  return {
    async add(run, callbacks, now) {
      if (callbacks.length === 0) return;
      for (const callback of callbacks) await makeWay(db, callback);
      await db
        .insertInto('outbox')
        .values(
          callbacks.map(({ target, callback, importance, account, lane }) => ({
            run_id: run,
            target,
            callback: JSON.stringify(callback),
            state: 'pending' as const,
            attempts: 0,
            next_attempt_at: now,
            lease_until: 0,
            error: null,
            created_at: now,
            finished_at: null,
            priority: importance ?? IMPORTANCE.final,
            account: account ?? null,
            lane: lane ?? null,
          })),
        )
        .execute();
    },

    async claim(now, leaseMs, limit, held = []) {
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

    async laterInTarget(entry) {
      const rows = await db
        .selectFrom('outbox')
        .selectAll()
        .where('target', '=', entry.target)
        .where('state', 'in', ['pending', 'sent'])
        .where('seq', '>', entry.id)
        .orderBy('seq')
        .execute();
      return rows.map(fromRow);
    },

    async renew(entry, leaseUntil) {
      const result = await db
        .updateTable('outbox')
        .set({ lease_until: leaseUntil })
        .where('seq', '=', entry.id)
        .where('state', '=', PENDING)
        .where('attempts', '=', entry.attempts)
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

    async abandonTarget(target, now, reason) {
      await db
        .updateTable('outbox')
        .set({ state: 'obsolete', finished_at: now, lease_until: 0, error: reason })
        .where('target', '=', target)
        .where('state', '=', PENDING)
        .execute();
    },

    async revive(id, now) {
      const entry = await db
        .selectFrom('outbox')
        .select(['target', 'state'])
        .where('seq', '=', id)
        .executeTakeFirst();
      if (entry?.state !== 'dead') return false;
      const isShared = entry.target.startsWith('deployment:');
      const result = await db
        .updateTable('outbox')
        // Still a repetition: what was given up may have arrived, and a Deployment is then looked for before it is made.
        .set({ state: 'pending', attempts: 1, next_attempt_at: now, finished_at: null })
        .where((eb) => (isShared ? eb('target', '=', entry.target) : eb('seq', '=', id)))
        .where('state', '=', 'dead')
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async reviveAll(now) {
      const result = await db
        .updateTable('outbox')
        // Counted as tried, for the reason given in `revive`.
        .set({ state: 'pending', attempts: 1, next_attempt_at: now, finished_at: null })
        .where('state', '=', 'dead')
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },

    async releaseAll() {
      await db
        .updateTable('outbox')
        .set({ lease_until: 0 })
        .where('state', '=', PENDING)
        .where('lease_until', '>', 0)
        .execute();
    },

    async get(id) {
      const row = await db
        .selectFrom('outbox')
        .selectAll()
        .where('seq', '=', id)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async ofRun(run) {
      const rows = await db
        .selectFrom('outbox')
        .selectAll()
        .where('run_id', '=', run)
        .orderBy('seq')
        .execute();
      return rows.map(fromRow);
    },

    async list(request, filter) {
      let query = db.selectFrom('outbox').selectAll();
      if (filter.state !== undefined) query = query.where('state', '=', sql.lit(filter.state));
      if (request.before !== undefined) query = query.where('seq', '<', request.before);
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(request.limit + 1)
        .execute();
      return page(rows, request, fromRow);
    },

    async countOpen() {
      const count = async (state: typeof PENDING | typeof DEAD) => {
        const row = await db
          .selectFrom('outbox')
          .select((eb) => eb.fn.countAll<number | string>().as('count'))
          .where('state', '=', state)
          .executeTakeFirstOrThrow();
        return Number(row.count);
      };
      return { pending: await count(PENDING), dead: await count(DEAD) };
    },
  };
}

/** Lets a new callback pull along what has to go before it, and overtake what an older run of its lane has to say. */
async function makeWay(db: Kysely<Database>, added: NewCallback): Promise<void> {
  const { target, importance = IMPORTANCE.final, lane } = added;
  await db
    .updateTable('outbox')
    .set({ priority: importance })
    .where('target', '=', target)
    .where('state', '=', PENDING)
    .where('priority', '>', importance)
    .execute();
  if (importance !== IMPORTANCE.final || lane === undefined) return;
  await db
    .updateTable('outbox')
    .set({ priority: IMPORTANCE.olderFinal })
    .where('lane', '=', lane)
    .where('state', '=', PENDING)
    .where('priority', '=', IMPORTANCE.final)
    .where('target', '!=', target)
    .execute();
}

function fromRow(row: Selectable<OutboxTable>): OutboxEntry {
  return {
    id: row.seq,
    run: row.run_id,
    target: row.target,
    callback: JSON.parse(row.callback) as Callback,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    error: row.error ?? undefined,
    createdAt: row.created_at,
    finishedAt: row.finished_at ?? undefined,
    importance: row.priority as Importance,
  };
}
