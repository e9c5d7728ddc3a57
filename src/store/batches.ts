import { sql } from 'kysely';
import type { Engine } from './engine.ts';
import { queries, values, type Db } from './query.ts';

/** A run that gathers events. */
export interface OpenBatch {
  /** The run, and the batch's own id. */
  run: string;
  /** When it ends, in milliseconds since the epoch. */
  closesAt: number;
  events: number;
  /** Of the payloads of all its events. */
  bytes: number;
}

/** A run that gathers events, with what they have in common. */
export interface GatheringBatch extends OpenBatch {
  spec: string;
  lane: string;
  /** Empty: the spec gathers all events of the lane. */
  key: string;
}

/** What a batch took, and until when. */
export interface BatchView {
  /** In the order in which they came. */
  deliveries: string[];
  closesAt: number;
  closedAt: number | undefined;
}

export type Batches = ReturnType<typeof createBatches>;

/** Runs that gather events before they start. What is asked here stays true only with the lock of the lane. */
export function createBatches(db: Db, engine: Engine) {
  const { all, change, first } = queries(db);
  return {
    /** The one that gathers events of this spec, lane and key. */
    async open(spec: string, lane: string, key: string): Promise<OpenBatch | undefined> {
      return await first<OpenBatch>`
        select run_id as run, closes_at as "closesAt", bytes,
          (select count(*) from batch_deliveries d where d.batch = batches.run_id) as events
        from batches
        where spec = ${spec} and lane = ${lane} and key = ${key} and closed_at is null`;
    },

    /** Every one that gathers events, the one that ends first before the others. */
    gathering: (most: number): Promise<GatheringBatch[]> =>
      all<GatheringBatch>`
        select run_id as run, spec, lane, key, closes_at as "closesAt", bytes,
          (select count(*) from batch_deliveries d where d.batch = batches.run_id) as events
        from batches where closed_at is null order by closes_at, run_id limit ${most}`,

    async begin(batch: { run: string; spec: string; lane: string; key: string; closesAt: number }) {
      const { run, closesAt, ...rest } = batch;
      const row = { run_id: run, ...rest, closes_at: closesAt, bytes: 0 };
      await change`insert into batches ${values([row])}`;
    },

    /** Gives a delivery to a batch. */
    async add(batch: string, spec: string, delivery: string, bytes: number): Promise<void> {
      await change`insert into batch_deliveries ${values([{ spec, delivery, batch }])}`;
      await change`update batches set bytes = bytes + ${bytes} where run_id = ${batch}`;
    },

    /** Whether a batch of the spec has the delivery already (G2). */
    async has(spec: string, delivery: string): Promise<boolean> {
      const row = await first`
        select batch from batch_deliveries where spec = ${spec} and delivery = ${delivery}`;
      return row !== undefined;
    },

    /** No event comes to it any more. False when that was so already, or when the run never gathered any. */
    async close(run: string, now: number): Promise<boolean> {
      const closed = await change`update batches set closed_at = ${now}
        where run_id = ${run} and closed_at is null`;
      return closed > 0;
    },

    /** Until when a run gathers events; undefined when it does not. */
    async openUntil(run: string): Promise<number | undefined> {
      const row = await first<{ closesAt: number }>`select closes_at as "closesAt" from batches
        where run_id = ${run} and closed_at is null`;
      return row?.closesAt;
    },

    async view(batch: string): Promise<BatchView | undefined> {
      const row = await first<{ closesAt: number; closedAt: number | null }>`
        select closes_at as "closesAt", closed_at as "closedAt" from batches where run_id = ${batch}`;
      if (row === undefined) return undefined;
      const rows = await all<{ delivery: string }>`
        select b.delivery from batch_deliveries b left join deliveries d on d.id = b.delivery
        where b.batch = ${batch} order by d.seq`;
      return {
        deliveries: rows.map(({ delivery }) => delivery),
        closesAt: row.closesAt,
        closedAt: row.closedAt ?? undefined,
      };
    },

    /** How much a delivery's payload takes, in bytes. */
    async sizeOf(delivery: string): Promise<number> {
      const size =
        engine === 'postgres' ? sql`octet_length(payload)` : sql`length(cast(payload as blob))`;
      const row = await first<{ size: number }>`
        select ${size} as size from deliveries where id = ${delivery}`;
      return row?.size ?? 0;
    },

    /** Whether the delivery `one` came before `other`. */
    async cameBefore(one: string, other: string): Promise<boolean> {
      const row = await first`select a.seq from deliveries a, deliveries b
        where a.id = ${one} and b.id = ${other} and a.seq < b.seq`;
      return row !== undefined;
    },
  };
}
