import { sql } from 'kysely';
import type { Run } from '../model/run.ts';
import { createMapping } from './mapping.ts';
import { queries, values, type Db } from './query.ts';

/** A run that gathers events, with what they have in common. */
export interface OpenBatch {
  /** The run, and the batch's own id. */
  run: string;
  spec: string;
  lane: string;
  /** Empty: the spec gathers all events of the lane. */
  key: string;
  /** When it ends, in milliseconds since the epoch. */
  closesAt: number;
  events: number;
  /** Of the payloads of all its events. */
  bytes: number;
}

/** What a batch took, and until when. */
export interface BatchView {
  /** In the order in which they came. */
  deliveries: string[];
  closesAt: number;
  closedAt: number | undefined;
}

const mapping = createMapping<OpenBatch>({ names: { run: 'run_id' } });

type Place = Pick<Run, 'spec' | 'lane' | 'environment'>;
type Revision = Place & Pick<Run, 'repository' | 'ref' | 'sha' | 'delivery'>;

/** Open batches with their runs: of the lane, or of the environment, since the spec's lane may have changed meanwhile. */
const openAt = ({ spec, lane, environment }: Place) =>
  sql`batches b join runs r on r.id = b.run_id
    where b.closed_at is null and b.spec = ${spec} and (b.lane = ${lane} or r.environment = ${environment})`;

const OPEN = sql`select run_id, spec, lane, key, closes_at, bytes,
    (select count(*) from batch_deliveries d where d.batch = batches.run_id) as events
  from batches where closed_at is null`;

/** Runs that gather events before they start. What is asked here stays true only with the lock of the lane. */
export function createBatches(db: Db) {
  const { change, column, first, isThere, value } = queries(db);
  const gathering = mapping.of(db);
  return {
    /** The one that gathers events of this spec, lane and key. */
    open: (spec: string, lane: string, key: string) =>
      gathering.first`${OPEN} and spec = ${spec} and lane = ${lane} and key = ${key}`,

    /** Every one that gathers events, the one that ends first before the others. */
    gathering: (most: number) => gathering.all`${OPEN} order by closes_at, run_id limit ${most}`,

    /** The runs that gather events of this spec there, and are no newer than `sequence`, in their order. */
    openUpTo: ({ sequence, ...place }: Place & Pick<Run, 'sequence'>) =>
      column<string>`select b.run_id from ${openAt(place)} and r.seq <= ${sequence} order by r.seq`,

    /** The revision that a delivery after `delivery` has brought to the ref, in a batch of the spec that is open there. */
    newerRevision: ({ repository, ref, delivery, ...place }: Revision) =>
      value<string>`select r.sha from ${openAt(place)} and r.repository = ${repository} and r.ref = ${ref}
        and (select d.seq from deliveries d where d.id = r.delivery)
          > (select own.seq from deliveries own where own.id = ${delivery})
        order by (select d.seq from deliveries d where d.id = r.delivery) desc limit 1`,

    /** Gives a revision to all batches of the spec that are open there and have another of the same ref. */
    async moveOpen({ repository, ref, sha, ...place }: Revision): Promise<void> {
      await change`update runs set sha = ${sha} where id in (select b.run_id from ${openAt(place)})
        and repository = ${repository} and ref = ${ref} and sha <> ${sha}`;
    },

    async begin(batch: Omit<OpenBatch, 'events' | 'bytes'>): Promise<void> {
      await change`insert into batches ${values([mapping.write({ ...batch, bytes: 0 })])}`;
    },

    /** Gives a delivery to a batch. */
    async add(batch: string, spec: string, delivery: string, bytes: number): Promise<void> {
      await change`insert into batch_deliveries ${values([{ spec, delivery, batch }])}`;
      await change`update batches set bytes = bytes + ${bytes} where run_id = ${batch}`;
    },

    /** Whether a batch of the spec has the delivery already (G2). */
    has: (spec: string, delivery: string) =>
      isThere`select batch from batch_deliveries where spec = ${spec} and delivery = ${delivery}`,

    /** No event comes to it any more. False when that was so already, or when the run never gathered any. */
    async close(run: string, now: number): Promise<boolean> {
      const closed = await change`update batches set closed_at = ${now}
        where run_id = ${run} and closed_at is null`;
      return closed > 0;
    },

    /** Until when a run gathers events; undefined when it does not. */
    openUntil: (run: string) =>
      value<number>`select closes_at from batches where run_id = ${run} and closed_at is null`,

    async view(batch: string): Promise<BatchView | undefined> {
      const row = await first<{ closesAt: number; closedAt: number | null }>`
        select closes_at as "closesAt", closed_at as "closedAt" from batches where run_id = ${batch}`;
      if (row === undefined) return undefined;
      const deliveries = await column<string>`
        select b.delivery from batch_deliveries b left join deliveries d on d.id = b.delivery
        where b.batch = ${batch} order by d.seq`;
      return { deliveries, closesAt: row.closesAt, closedAt: row.closedAt ?? undefined };
    },

    /** How much a delivery's payload takes, in bytes. */
    async sizeOf(delivery: string): Promise<number> {
      const size = await value<number>`
        select octet_length(payload) from deliveries where id = ${delivery}`;
      return size ?? 0;
    },

    /** Whether the delivery `one` came before `other`. */
    cameBefore: (one: string, other: string) =>
      isThere`select a.seq from deliveries a, deliveries b
        where a.id = ${one} and b.id = ${other} and a.seq < b.seq`,
  };
}
