import { sql, type Kysely } from 'kysely';
import type { Callback } from '../model/callback.ts';
import { IMPORTANCE, type Importance } from '../model/importance.ts';
import type { Engine } from './engine.ts';
import { createOutboxClaims, type OutboxClaims } from './outbox-claims.ts';
import { fromRow, PENDING, type OutboxEntry, type OutboxState } from './outbox-rows.ts';
import { page, repositoriesOf, type Page, type PageRequest } from './page.ts';
import type { Database } from './tables.ts';

export type { Claimable } from './outbox-claims.ts';
export type { OutboxEntry, OutboxState } from './outbox-rows.ts';

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

const DEAD = sql.lit('dead' as const);

export interface Outbox extends OutboxClaims {
  /**
   * Puts callbacks in, each behind those of its target. What waits before it in its target becomes as important as it is, since
   * it has to go first; and the final status of an older run of the lane becomes an older final status.
   */
  add(run: string, callbacks: readonly NewCallback[], now: number): Promise<void>;
  /**
   * Entries that come after one of the given ones in its target, oldest first: those to be sent and those that were sent, because
   * a dead entry that is revived must not overwrite what the other side has heard since.
   */
  laterInTarget(entries: readonly OutboxEntry[]): Promise<OutboxEntry[]>;
  /** Finishes all that is pending in a target as `obsolete`, and says why. */
  abandonTarget(target: string, now: number, reason: string): Promise<void>;
  /**
   * Makes a dead entry pending again, as one that was tried once. False when it is not dead. What died of the same
   * Deployment comes with it: neither its making nor its statuses mean anything alone.
   */
  revive(id: number, now: number): Promise<boolean>;
  /** Makes every dead entry pending again, and says how many there were. */
  reviveAll(now: number): Promise<number>;
  get(id: number): Promise<OutboxEntry | undefined>;
  ofRun(run: string): Promise<OutboxEntry[]>;
  list(
    request: PageRequest,
    filter: {
      state?: OutboxState | undefined;
      /** Repositories in small letters: callbacks of runs of others are not in the list. Undefined: all are. */
      visible?: readonly string[] | undefined;
    },
  ): Promise<Page<OutboxEntry>>;
  /** How many wait, and how many were given up; both are few, however many were sent. */
  countOpen(): Promise<{ pending: number; dead: number }>;
}

export function createOutbox(db: Kysely<Database>, engine: Engine): Outbox {
  return {
    ...createOutboxClaims(db, engine),

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

    async laterInTarget(entries) {
      const rows = await db
        .selectFrom('outbox')
        .selectAll()
        .where((eb) =>
          eb.or(
            entries.map(({ id, target }) =>
              eb.and([eb('target', '=', target), eb('seq', '>', id)]),
            ),
          ),
        )
        .where('state', 'in', ['pending', 'sent'])
        .orderBy('seq')
        .execute();
      return rows.map(fromRow);
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
      const names = repositoriesOf(filter);
      if (names !== undefined) {
        query = query.where('run_id', 'in', (eb) =>
          eb
            .selectFrom('runs')
            .select('id')
            .where((run) => run(run.fn('lower', ['repository']), 'in', names)),
        );
      }
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
