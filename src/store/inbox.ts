import { sql, type CompiledQuery, type Kysely, type Selectable } from 'kysely';
import type { Delivery, DeliveryOutcome } from '../model/delivery.ts';
import { noteCopies } from './copies.ts';
import type { Engine } from './engine.ts';
import { page, repositoriesOf, type Page, type PageRequest } from './page.ts';
import type { Database, DeliveryTable } from './tables.ts';

/** A verified webhook request, ready to be stored. */
export interface IncomingDelivery {
  id: string;
  event: string;
  action: string | undefined;
  repository: string | undefined;
  /** Of a delivery without a repository: those of one queue are taken in the order they came. Has a ":", as no repository does. */
  queue?: string;
  /** The JSON text of the payload. */
  payload: string;
  receivedAt: number;
  /** What its body is known by under whatever id it comes. Without one no other delivery is a copy of it. */
  digest?: string;
  /** What became of it, where nothing has to be done about it: then it is stored as processed. */
  outcome?: DeliveryOutcome | undefined;
}

/** A delivery that this process may work on until its lease ends. */
export interface ClaimedDelivery {
  delivery: Delivery;
  /** JSON; empty when it is no longer kept (`Retention`). */
  payload: string;
}

/** A delivery that no process works on. */
export interface WaitingDelivery extends ClaimedDelivery {
  /** Grows in the order in which deliveries came. */
  seq: number;
}

/** What git did not show. */
export interface MissingRef {
  /** The whole ref. */
  ref: string;
  /** The commit that the ref is to lead to; undefined: any. */
  sha: string | undefined;
}

export interface DeliveryFilter {
  event?: string | undefined;
  state?: Delivery['state'] | undefined;
  repository?: string | undefined;
  /** Repositories in small letters: deliveries of others, and of none, are not in the list. Undefined: all are. */
  visible?: readonly string[] | undefined;
}

/** Deliveries given up that are looked for at once: each is a request to git. */
const MOST_GIVEN_UP = 50;

/** Deliveries that are tried again before one that is about to deploy: each takes the time of a request to git. */
const MOST_RECALLED = 20;

/** A literal and not a parameter: with a parameter SQLite cannot use the index of pending rows. */
const PENDING = sql.lit('pending' as const);

export interface Inbox {
  /**
   * Stores deliveries in one transaction. Left out of the answer are the ids that were already there, and those whose body was there
   * under another id: their rows say of which delivery they are a copy, and are closed.
   */
  store(deliveries: readonly IncomingDelivery[]): Promise<ReadonlySet<string>>;
  /**
   * Takes the oldest delivery that is due. Deliveries of one repository are taken strictly in the order they came, so
   * that "newest" means what it says; but for those that have stepped aside and are not due. None of the repositories in `except`.
   */
  claim(
    now: number,
    leaseMs: number,
    except?: readonly string[],
  ): Promise<ClaimedDelivery | undefined>;
  /** The first `limit` deliveries after number `after` that nothing was done about yet, in the order they came. */
  waiting(after: number, now: number, limit: number): Promise<WaitingDelivery[]>;
  /** Closes deliveries that nobody has claimed, and answers those of them that it closed. */
  closeIdle(
    outcomes: ReadonlyMap<WaitingDelivery, DeliveryOutcome>,
    now: number,
  ): Promise<WaitingDelivery[]>;
  /** Makes a claim last until `leaseUntil`. False when the delivery is closed, or somebody else's by now. */
  renew(claimed: ClaimedDelivery, leaseUntil: number): Promise<boolean>;
  /**
   * Closes a delivery. False when it was closed already, or, with `attempt`, when that is no longer its latest: the lease
   * of whoever asks has ended, and somebody else has claimed it. `missing` is what it was given up for, if it was.
   */
  close(
    id: string,
    state: 'processed' | 'failed',
    outcome: DeliveryOutcome,
    now: number,
    attempt?: number,
    missing?: MissingRef,
  ): Promise<boolean>;
  /** Deliveries that came since then and were closed because git did not show what they name. The newest of many. */
  givenUp(since: number): Promise<(MissingRef & { id: string; repository: string })[]>;
  /** Makes a delivery that was given up pending again: git shows now what it names. */
  reopen(id: string): Promise<void>;
  /** A delivery that was given up is not to be opened again. */
  forgetMissing(id: string): Promise<void>;
  /**
   * Puts a claimed delivery back, to be tried again at `at`; with `attempt` as in `close`. With `aside` it steps aside from now
   * on: until it is tried again, those that came after it go on without it.
   */
  postpone(
    id: string,
    at: number,
    reason: string,
    attempt?: number,
    aside?: boolean,
  ): Promise<void>;
  /** Makes those due now that have stepped aside before a delivery of the same repository, the newest of many, and says how many. */
  recall(delivery: Delivery, now: number): Promise<number>;
  /** Gives back what a process that is gone had claimed. Only for an engine that one process owns. */
  releaseAll(): Promise<void>;
  get(id: string): Promise<ClaimedDelivery | undefined>;
  /** Which of these deliveries are there. */
  known(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Whether a repository has deliveries that are not processed yet; those that have stepped aside do not count. */
  hasPending(repository: string): Promise<boolean>;
  /** Newest first. */
  list(request: PageRequest, filter?: DeliveryFilter): Promise<Page<Delivery>>;
  countPending(): Promise<number>;
}

export function createInbox(db: Kysely<Database>, engine: Engine): Inbox {
  const statements = new Map<number, CompiledQuery<{ id: string }>>();
  // Said so often that building it would cost more than running it.
  const closing = db
    .updateTable('deliveries')
    .set({
      attempts: sql.lit(1),
      state: sql.lit('processed' as const),
      processed_at: 0,
      outcome: '',
    })
    .where('seq', '=', 0)
    .where('state', '=', PENDING)
    .where('attempts', '=', sql.lit(0))
    .compile();
  return {
    async store(deliveries) {
      const rows = deliveries.map(toRow);
      // The statement depends on the number of rows alone, and building it costs as much as running it.
      let statement = statements.get(rows.length);
      if (statement === undefined) {
        statement = insertion(db, rows);
        statements.set(rows.length, statement);
      }
      const parameters = rows.flatMap((row) => Object.values(row));
      const stored = await db.executeQuery<{ id: string }>({ ...statement, parameters });
      const fresh = new Set(stored.rows.map((row) => row.id));
      const others = rows.filter(({ id }) => !fresh.has(id));
      if (others.length > 0) await noteCopies(db, others);
      return fresh;
    },

    async claim(now, leaseMs, except = []) {
      const row = await db
        .updateTable('deliveries')
        .set((eb) => ({ lease_until: now + leaseMs, attempts: eb('attempts', '+', 1) }))
        .where('seq', '=', (eb) =>
          eb
            .selectFrom('deliveries as d')
            .select('d.seq')
            .where('d.state', '=', PENDING)
            .where('d.next_attempt_at', '<=', now)
            .where('d.lease_until', '<=', now)
            .$if(except.length > 0, (query) =>
              query.where((eb) =>
                eb.or([eb('d.repository', 'is', null), eb('d.repository', 'not in', except)]),
              ),
            )
            .where(({ not, exists, selectFrom }) =>
              not(
                exists(
                  selectFrom('deliveries as earlier')
                    .select('earlier.seq')
                    .whereRef('earlier.repository', '=', 'd.repository')
                    .whereRef('earlier.seq', '<', 'd.seq')
                    .where('earlier.state', '=', PENDING)
                    .where((eb) =>
                      eb.or([
                        eb('earlier.deferred', '=', 0),
                        eb('earlier.next_attempt_at', '<=', now),
                        eb('earlier.lease_until', '>', now),
                      ]),
                    ),
                ),
              ),
            )
            .orderBy('d.seq')
            .limit(1)
            // What another process is about to take is not waited for.
            .$if(engine === 'postgres', (query) => query.forUpdate('d').skipLocked()),
        )
        .where('state', '=', PENDING)
        .where('lease_until', '<=', now)
        .returningAll()
        .executeTakeFirst();
      return row && { delivery: fromRow(row), payload: row.payload };
    },

    async waiting(after, now, limit) {
      const rows = await db
        .selectFrom('deliveries')
        .selectAll()
        .where('state', '=', PENDING)
        .where('seq', '>', after)
        .where('attempts', '=', 0)
        .where('lease_until', '<=', now)
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ delivery: fromRow(row), payload: row.payload, seq: row.seq }));
    },

    async closeIdle(outcomes, now) {
      const closed: WaitingDelivery[] = [];
      for (const [one, outcome] of outcomes) {
        const parameters = [now, JSON.stringify(outcome), one.seq];
        const { numAffectedRows } = await db.executeQuery({ ...closing, parameters });
        if (numAffectedRows === 1n) closed.push(one);
      }
      return closed;
    },

    async renew({ delivery }, leaseUntil) {
      const result = await db
        .updateTable('deliveries')
        .set({ lease_until: leaseUntil })
        .where('id', '=', delivery.id)
        .where('state', '=', PENDING)
        // Only a claim counts an attempt, so its number names the claim.
        .where('attempts', '=', delivery.attempts)
        // Zero: it was given back, which a renewal that was under way then must not undo.
        .where('lease_until', '>', 0)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async close(id, state, outcome, now, attempt, missing) {
      const result = await db
        .updateTable('deliveries')
        .set({
          state,
          outcome: JSON.stringify(outcome),
          processed_at: now,
          lease_until: 0,
          missing: missing === undefined ? null : [missing.ref, missing.sha ?? ''].join(' '),
        })
        .where('id', '=', id)
        .where('state', '=', PENDING)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async givenUp(since) {
      const rows = await db
        .selectFrom('deliveries')
        .select(['id', 'repository', 'missing'])
        .where('missing', 'is not', null)
        .where('received_at', '>=', since)
        .orderBy('received_at', 'desc')
        .limit(MOST_GIVEN_UP)
        .execute();
      return rows.map(({ id, repository, missing }) => {
        const [ref = '', sha = ''] = (missing ?? '').split(' ');
        return { id, repository: repository ?? '', ref, sha: sha === '' ? undefined : sha };
      });
    },

    async reopen(id) {
      await db
        .updateTable('deliveries')
        .set({ state: PENDING, missing: null, processed_at: null, next_attempt_at: 0 })
        .where('id', '=', id)
        .where('missing', 'is not', null)
        // Without a payload there is nothing to judge.
        .where('pruned_at', 'is', null)
        .execute();
    },

    async forgetMissing(id) {
      await db.updateTable('deliveries').set({ missing: null }).where('id', '=', id).execute();
    },

    async postpone(id, at, reason, attempt, aside = false) {
      await db
        .updateTable('deliveries')
        .set({
          next_attempt_at: at,
          lease_until: 0,
          outcome: JSON.stringify({ summary: reason, specs: [] } satisfies DeliveryOutcome),
          ...(aside ? { deferred: 1 } : {}),
        })
        .where('id', '=', id)
        .where('state', '=', PENDING)
        .$if(attempt !== undefined, (query) => query.where('attempts', '=', attempt ?? 0))
        .execute();
    },

    async recall({ id, repository }, now) {
      if (repository === undefined) return 0;
      const result = await db
        .updateTable('deliveries')
        .set({ next_attempt_at: now })
        .where('seq', 'in', (eb) =>
          eb
            .selectFrom('deliveries as earlier')
            .select('earlier.seq')
            .where('earlier.repository', '=', repository)
            .where('earlier.state', '=', PENDING)
            .where('earlier.deferred', '=', 1)
            .where('earlier.lease_until', '<=', now)
            .where('earlier.seq', '<', ({ selectFrom }) =>
              selectFrom('deliveries as d').select('d.seq').where('d.id', '=', id),
            )
            .orderBy('earlier.seq', 'desc')
            .limit(MOST_RECALLED),
        )
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },

    async releaseAll() {
      await db
        .updateTable('deliveries')
        .set({ lease_until: 0 })
        .where('state', '=', PENDING)
        .where('lease_until', '>', 0)
        .execute();
    },

    async get(id) {
      const row = await db
        .selectFrom('deliveries')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row && { delivery: fromRow(row), payload: row.payload };
    },

    async known(ids) {
      if (ids.length === 0) return new Set();
      const rows = await db.selectFrom('deliveries').select('id').where('id', 'in', ids).execute();
      return new Set(rows.map((row) => row.id));
    },

    async hasPending(repository) {
      const row = await db
        .selectFrom('deliveries')
        .select('seq')
        .where('repository', '=', repository.toLowerCase())
        .where('state', '=', PENDING)
        .where('deferred', '=', 0)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    async list(request, filter = {}) {
      let query = db
        .selectFrom('deliveries')
        .select([
          'seq',
          'id',
          'event',
          'action',
          'repository',
          'state',
          'received_at',
          'processed_at',
          'attempts',
          'outcome',
          'copy_of',
        ])
        .orderBy('seq', 'desc')
        .limit(request.limit + 1);
      if (request.before !== undefined) query = query.where('seq', '<', request.before);
      if (filter.event !== undefined) query = query.where('event', '=', filter.event);
      if (filter.state !== undefined) query = query.where('state', '=', filter.state);
      const names = repositoriesOf(filter);
      if (names !== undefined) {
        query = query.where((eb) => eb(eb.fn('lower', ['repository']), 'in', names));
      }
      return page(await query.execute(), request, fromRow);
    },

    async countPending() {
      const row = await db
        .selectFrom('deliveries')
        .select((eb) => eb.fn.countAll<number | string>().as('count'))
        .where('state', '=', PENDING)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
  };
}

/** Columns that are left out have their defaults: a row that nobody has taken yet. */
function insertion(
  db: Kysely<Database>,
  rows: ReturnType<typeof toRow>[],
): CompiledQuery<{ id: string }> {
  return (
    db
      .insertInto('deliveries')
      .values(rows)
      // Neither an id nor a digest is there twice.
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .compile()
  );
}

function toRow(delivery: IncomingDelivery) {
  return {
    id: delivery.id,
    event: delivery.event,
    action: delivery.action ?? null,
    repository: delivery.repository?.toLowerCase() ?? delivery.queue ?? null,
    payload: delivery.payload,
    received_at: delivery.receivedAt,
    digest: delivery.digest ?? null,
    ...(delivery.outcome === undefined
      ? { state: 'pending' as const, attempts: 0, processed_at: null, outcome: null }
      : {
          state: 'processed' as const,
          attempts: 1,
          processed_at: delivery.receivedAt,
          outcome: JSON.stringify(delivery.outcome),
        }),
  };
}

function fromRow(
  row: Omit<
    Selectable<DeliveryTable>,
    'payload' | 'lease_until' | 'next_attempt_at' | 'pruned_at' | 'digest' | 'deferred' | 'missing'
  >,
): Delivery {
  return {
    id: row.id,
    event: row.event,
    action: row.action ?? undefined,
    repository: row.repository?.includes(':') === true ? undefined : (row.repository ?? undefined),
    state: row.state,
    receivedAt: row.received_at,
    processedAt: row.processed_at ?? undefined,
    attempts: row.attempts,
    outcome: row.outcome === null ? undefined : (JSON.parse(row.outcome) as DeliveryOutcome),
    ...(row.copy_of === null ? {} : { copyOf: row.copy_of }),
  };
}
