import { sql, type CompiledQuery } from 'kysely';
import { elsewhere } from '../lib/names.ts';
import type { Delivery, DeliveryOutcome } from '../model/delivery.ts';
import { hookEventName } from '../model/hook.ts';
import { attemptOf, createClaims, freeOf } from './claims.ts';
import { noteCopies } from './copies.ts';
import { createMapping } from './mapping.ts';
import { page, repositoriesOf, type Page, type PageRequest } from './page.ts';
import { andNotIn, engineOf, list, queries, values, when, type Db, type Row } from './query.ts';
import { largeQuery } from './writer.ts';

/** A verified webhook request, ready to be stored. */
export interface IncomingDelivery {
  id: string;
  event: string;
  action: string | undefined;
  repository: string | undefined;
  /** Of a delivery without a repository: those of one queue are taken in the order they came. Has a ":", and no "/" after it, as repositories have. */
  queue?: string;
  /** The JSON text of the payload. */
  payload: string;
  receivedAt: number;
  /** What its body is known by under whatever id it comes. Without one no other delivery is a copy of it. */
  digest?: string;
  /** JSON: where its sender wants to hear what came of it. */
  callback?: string;
  /** JSON: the headers of the request that are kept (`keptHeaders`). */
  headers?: string | undefined;
  /** What became of it, where nothing has to be done about it: then it is stored as processed. */
  outcome?: DeliveryOutcome | undefined;
}

/** A delivery with all that is kept of it. */
export interface KeptDelivery {
  /** Grows in the order in which deliveries came. */
  seq: number;
  delivery: Delivery;
  /** JSON; empty when it is no longer kept (`Retention`). */
  payload: string;
  /** JSON, an object of texts; undefined when none are kept. */
  headers: string | undefined;
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

/** So many deliveries are stored beside the event loop; for fewer, the way there takes longer. */
const MANY = 8;

/** Deliveries among which those of a filter are looked for, for one page. */
const MOST_LOOKED_AT = 200_000;
/** The same where their state is asked for, and each is read. */
const MOST_LOOKED_INTO = 5000;

/** Deliveries given up that are looked for at once: each is a request to git. */
const MOST_GIVEN_UP = 50;

/** Deliveries that are tried again before one that is about to deploy: each takes the time of a request to git. */
const MOST_RECALLED = 20;

// Text and not a parameter: with a parameter SQLite cannot use the index of pending rows.
const PENDING = sql`state = 'pending'`;

/** Of a delivery without its payload, which may be large. */
const SHOWN = sql.raw(
  'seq, id, event, action, repository, state, received_at, processed_at, attempts, outcome, copy_of',
);

export type Inbox = ReturnType<typeof createInbox>;

/** `filled` hears when there is a delivery to be worked on. */
export function createInbox(db: Db, filled: () => void) {
  const { all, change, column, first, isThere, value } = queries(db);
  const claims = createClaims(db, 'deliveries', PENDING);
  const byId = (id: string, attempt?: number) => attemptOf(sql`id = ${id}`, attempt);
  // Building these costs as much as running them, and their text depends on the number of rows alone.
  const insertions = new Map<number, CompiledQuery<{ id: string }>>();
  let insertionOfEach: CompiledQuery<number> | undefined;
  const textOf = keepTexts();

  // Neither an id nor a digest is there twice. Columns that are left out have their defaults: a row that is free.
  const insertion = (rows: readonly Row[]) =>
    sql`insert into deliveries ${values(rows)} on conflict do nothing`;

  /** Inserts rows, and answers the ids of those that were not there. */
  async function insert(rows: readonly IncomingRow[]): Promise<ReadonlySet<string>> {
    const sets = rows.map((row) => Object.values(row));
    if (engineOf(db) === 'sqlite' && rows.length >= MANY) {
      insertionOfEach ??= sql<number>`${insertion(rows.slice(0, 1))}`.compile(db);
      const { rows: changes } = await db.executeQuery(largeQuery(insertionOfEach, sets));
      return new Set(rows.filter((_, index) => changes[index] !== 0).map(({ id }) => id));
    }
    let query = insertions.get(rows.length);
    if (query === undefined) {
      query = sql<{ id: string }>`${insertion(rows)} returning id`.compile(db);
      insertions.set(rows.length, query);
    }
    const stored = await db.executeQuery<{ id: string }>({ ...query, parameters: sets.flat() });
    return new Set(stored.rows.map(({ id }) => id));
  }

  /** Down to where deliveries are looked at for one page; undefined: all of them. */
  async function lookedFrom(before: number | undefined, filter: DeliveryFilter) {
    const { state } = filter;
    if (state === 'failed' || state === 'pending') {
      return await value<number>`select seq from deliveries
        where state = ${sql.lit(state)} ${when(before, (seq) => sql`and seq < ${seq}`)}
        order by seq desc limit 1 offset ${MOST_LOOKED_INTO}`;
    }
    const isFiltered = Object.values(filter).some((value) => value !== undefined);
    if (!isFiltered) return undefined;
    const ends = await first<{ oldest: number | null; newest: number | null }>`select
      (select min(seq) from deliveries) as oldest, (select max(seq) from deliveries) as newest`;
    const most = state === undefined ? MOST_LOOKED_AT : MOST_LOOKED_INTO;
    const from = (before ?? (ends?.newest ?? 0) + 1) - most;
    return from > (ends?.oldest ?? 0) ? from : undefined;
  }

  return {
    /**
     * Stores deliveries in one transaction. Left out of the answer are the ids that were already there, and those whose body was there
     * under another id: their rows say of which delivery they are a copy, and are closed.
     */
    async store(deliveries: readonly IncomingDelivery[]): Promise<ReadonlySet<string>> {
      const rows = deliveries.map((delivery) => toRow(delivery, textOf));
      const fresh = await insert(rows);
      const others = rows.filter(({ id }) => !fresh.has(id));
      if (others.length > 0) await noteCopies(db, others);
      if (fresh.size > 0) filled();
      return fresh;
    },

    /**
     * Takes the oldest delivery that is due. Deliveries of one repository are taken strictly in the order they came, so
     * that "newest" means what it says; but for those that are deferred and not due. None of the repositories in `except`.
     */
    async claim(
      now: number,
      leaseMs: number,
      except: readonly string[] = [],
    ): Promise<KeptDelivery | undefined> {
      const due = sql`select d.seq from deliveries as d
        where d.state = 'pending' and d.next_attempt_at <= ${now} and d.lease_until <= ${now}
        ${andNotIn(sql`coalesce(d.repository, '')`, except)}
        and not exists (
          select 1 from deliveries as earlier
          where earlier.repository = d.repository and earlier.seq < d.seq and earlier.state = 'pending'
          and (earlier.deferred = 0 or earlier.next_attempt_at <= ${now} or earlier.lease_until > ${now}))
        order by d.seq limit 1`;
      const which = freeOf(db, sql`seq`, due);
      const [row] = await claims.take(which, sql`attempts = attempts + 1`, now + leaseMs, now);
      return row && fromRow(row);
    },

    /** The first `limit` deliveries after number `after` that nothing was done about yet, in the order they came. */
    async waiting(after: number, now: number, limit: number): Promise<KeptDelivery[]> {
      const rows = await all<Row>`select * from deliveries
        where ${PENDING} and seq > ${after} and attempts = 0 and lease_until <= ${now}
        order by seq limit ${limit}`;
      return rows.map(fromRow);
    },

    /**
     * The deliveries of its repository that came right after a claimed one, in the order they came, of which none was claimed yet: as
     * long as that one is claimed and open, none of these is claimed by another process. At most `limit`, and `mostBytes` of payload.
     */
    async following(
      { id, repository }: Delivery,
      now: number,
      limit: number,
      mostBytes: number,
    ): Promise<KeptDelivery[]> {
      if (repository === undefined) return [];
      const next = await all<{ seq: number; attempts: number; until: number; bytes: number }>`
        select seq, attempts, lease_until as until, octet_length(payload) as bytes from deliveries
        where repository = ${repository} and ${PENDING}
        and seq > (select own.seq from deliveries as own where own.id = ${id})
        order by seq limit ${limit}`;
      let bytes = 0;
      const end = next.findIndex((row) => {
        bytes += row.bytes;
        return row.attempts > 0 || row.until > now || bytes > mostBytes;
      });
      const seqs = next.slice(0, end === -1 ? next.length : end).map(({ seq }) => seq);
      if (seqs.length === 0) return [];
      const rows = await all<Row>`select * from deliveries where seq in ${list(seqs)} order by seq`;
      return rows.map(fromRow);
    },

    /** Closes deliveries that no process has claimed, and answers those of them that it closed. */
    async closeIdle(
      outcomes: ReadonlyMap<KeptDelivery, DeliveryOutcome>,
      now: number,
    ): Promise<KeptDelivery[]> {
      if (outcomes.size === 0) return [];
      const ends = [...outcomes].map(
        ([{ seq }, outcome]) => sql`(cast(${seq} as bigint), ${JSON.stringify(outcome)})`,
      );
      const seqs = [...outcomes.keys()].map(({ seq }) => seq);
      // The columns of `values` have these names on both engines.
      const rows = await all<{ seq: number }>`update deliveries
        set attempts = 1, state = 'processed', processed_at = ${now}, outcome = ends.column2
        from (values ${sql.join(ends)}) as ends
        where seq = ends.column1 and seq between ${Math.min(...seqs)} and ${Math.max(...seqs)}
        and ${PENDING} and attempts = 0 returning seq`;
      const closed = new Set(rows.map(({ seq }) => seq));
      return [...outcomes.keys()].filter(({ seq }) => closed.has(seq));
    },

    /** Makes a claim last until `leaseUntil`. False when the delivery is closed, or another's by now. */
    renew: async ({ delivery }: KeptDelivery, leaseUntil: number) =>
      (await claims.renew(byId(delivery.id, delivery.attempts), leaseUntil)) !== undefined,

    /**
     * Closes a delivery. False when it was closed already, or, with `attempt`, when that is no longer its latest: the lease
     * of the one that asks has ended, and another has claimed it. `missing` is what it was given up for, if it was.
     */
    close: (
      id: string,
      state: 'processed' | 'failed',
      outcome: DeliveryOutcome,
      now: number,
      attempt?: number,
      missing?: MissingRef,
    ) =>
      claims.release(byId(id, attempt), {
        state,
        outcome: JSON.stringify(outcome),
        processed_at: now,
        missing: missing && [missing.ref, missing.sha ?? ''].join(' '),
      }),

    /** Deliveries that came since then and were closed because git did not show what they name. The newest of many. */
    async givenUp(since: number): Promise<(MissingRef & { id: string; repository: string })[]> {
      const rows = await all<{ id: string; repository: string | null; missing: string }>`
        select id, repository, missing from deliveries
        where missing is not null and received_at >= ${since}
        order by received_at desc limit ${MOST_GIVEN_UP}`;
      return rows.map(({ id, repository, missing }) => {
        const [ref = '', sha = ''] = missing.split(' ');
        return { id, repository: repository ?? '', ref, sha: sha === '' ? undefined : sha };
      });
    },

    /** Makes a delivery that was given up pending again: git shows now what it names. Without a payload there is nothing to judge. */
    async reopen(id: string): Promise<void> {
      const opened = await change`update deliveries
        set state = 'pending', missing = null, processed_at = null, next_attempt_at = 0
        where id = ${id} and missing is not null and pruned_at is null`;
      if (opened > 0) filled();
    },

    /** A delivery that was given up is not to be opened again. */
    async forgetMissing(id: string): Promise<void> {
      await change`update deliveries set missing = null where id = ${id}`;
    },

    /**
     * Gives a claimed delivery back, to be tried again at `at`; with `attempt` as in `close`. One that is `deferred` is from now
     * on not waited for by those that came after it, until it is due.
     */
    async postpone(
      id: string,
      at: number,
      reason: string,
      attempt?: number,
      deferred = false,
    ): Promise<void> {
      await claims.release(byId(id, attempt), {
        next_attempt_at: at,
        outcome: JSON.stringify({ summary: reason, specs: [] } satisfies DeliveryOutcome),
        ...(deferred ? { deferred: 1 } : {}),
      });
    },

    /** Makes those due now that were deferred before a delivery of the same repository, the newest of many, and says how many. */
    async recall({ id, repository }: Delivery, now: number): Promise<number> {
      if (repository === undefined) return 0;
      return await change`update deliveries set next_attempt_at = ${now} where seq in (
        select earlier.seq from deliveries as earlier
        where earlier.repository = ${repository} and earlier.state = 'pending' and earlier.deferred = 1
        and earlier.lease_until <= ${now}
        and earlier.seq < (select d.seq from deliveries as d where d.id = ${id})
        order by earlier.seq desc limit ${MOST_RECALLED})`;
    },

    /** Gives back what a process that is gone had claimed. Only for an engine that one process owns. */
    releaseAll: claims.releaseAll,

    async get(id: string): Promise<KeptDelivery | undefined> {
      const row = await first<Row>`select * from deliveries where id = ${id}`;
      return row && fromRow(row);
    },

    /** Which of these deliveries are there. */
    async known(ids: readonly string[]): Promise<ReadonlySet<string>> {
      return new Set(await column<string>`select id from deliveries where id in ${list(ids)}`);
    },

    /** Of these deliveries, those whose sender wants to hear what came of it: JSON, by the delivery. */
    async callbacks(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
      if (ids.length === 0) return new Map();
      const rows = await all<{ id: string; callback: string }>`
        select id, callback from deliveries where id in ${list(ids)} and callback is not null`;
      return new Map(rows.map(({ id, callback }) => [id, callback]));
    },

    /** Whether a repository has deliveries that are not processed yet; those that are deferred do not count. */
    hasPending: (repository: string) =>
      isThere`select seq from deliveries
        where repository = ${repository.toLowerCase()} and ${PENDING} and deferred = 0 limit 1`,

    /** Newest first. With a filter a page that is not full may be followed by others. */
    async list(request: PageRequest, filter: DeliveryFilter = {}): Promise<Page<Delivery>> {
      const looked = await lookedFrom(request.before, filter);
      const rows = await all<Row & { seq: number }>`
        select ${SHOWN} from deliveries where seq in (
          select seq from deliveries where true
          ${when(request.before, (seq) => sql`and seq < ${seq}`)}
          ${when(looked, (from) => sql`and seq >= ${from}`)}
          ${when(filter.event, (name) => sql`and event = ${name}`)}
          ${when(filter.state, (one) => sql`and state = ${sql.lit(one)}`)}
          ${when(repositoriesOf(filter), (some) => sql`and repository in ${list(some)}`)}
          order by seq desc limit ${request.limit + 1})
        order by seq desc`;
      return page(rows, request, (row) => fromRow(row).delivery, looked);
    },

    /** The newest request that a hook took, by the id that it was sent to. */
    async lastOfHook(id: string): Promise<Delivery | undefined> {
      const row = await first<Row>`
        select ${SHOWN} from deliveries where substr(repository, 1, 5) = 'hook:' and repository = ${hookEventName(id)}
        order by seq desc limit 1`;
      return row && fromRow(row).delivery;
    },

    countPending: async () =>
      (await value<number>`select count(*) from deliveries where ${PENDING}`) ?? 0,
  };
}

/** A delivery and its row. */
const deliveries = createMapping<Delivery>({
  json: ['outcome'],
  others: [
    'seq',
    'payload',
    'next_attempt_at',
    'lease_until',
    'pruned_at',
    'digest',
    'deferred',
    'missing',
    'callback',
    'headers',
  ],
});

/** The JSON of an outcome, which many deliveries may share. */
function keepTexts(): (outcome: DeliveryOutcome) => string {
  const texts = new WeakMap<DeliveryOutcome, string>();
  return (outcome) => {
    let text = texts.get(outcome);
    if (text === undefined) texts.set(outcome, (text = JSON.stringify(outcome)));
    return text;
  };
}

type IncomingRow = ReturnType<typeof toRow>;

function toRow(delivery: IncomingDelivery, textOf: (outcome: DeliveryOutcome) => string) {
  return {
    id: delivery.id,
    event: delivery.event,
    action: delivery.action ?? null,
    repository: delivery.repository?.toLowerCase() ?? delivery.queue ?? null,
    payload: delivery.payload,
    received_at: delivery.receivedAt,
    digest: delivery.digest ?? null,
    callback: delivery.callback ?? null,
    headers: delivery.headers ?? null,
    ...(delivery.outcome === undefined
      ? { state: 'pending' as const, attempts: 0, processed_at: null, outcome: null }
      : {
          state: 'processed' as const,
          attempts: 1,
          processed_at: delivery.receivedAt,
          outcome: textOf(delivery.outcome),
        }),
  };
}

/** The column of the repository holds the queue of one that has none. */
function fromRow(row: Row): KeptDelivery {
  const delivery = deliveries.read(row);
  const { repository = '' } = delivery;
  if (repository.includes(':') && elsewhere(repository) === undefined) {
    delivery.repository = undefined;
  }
  const { seq, payload, headers } = row as Pick<KeptDelivery, 'seq' | 'payload'> & {
    headers: string | null;
  };
  return { seq, delivery, payload, headers: headers ?? undefined };
}
