import type { Kysely } from 'kysely';
import type { Run } from '../model/run.ts';
import { fromRow } from './run-rows.ts';
import { QUEUED, RUNNING } from './run-states.ts';
import type { Database } from './tables.ts';

/** Whose a running run is, and until when: a run that is taken up again has one holder at a time (G3). */
export interface RunLeases {
  /** Makes `holder` the one who runs it. False when it has ended, or somebody else has a lease that has not. */
  own(id: string, holder: string, leaseUntil: number, now: number): Promise<boolean>;
  /** Extends the lease. Undefined when the run is no longer this holder's; else what the run looks like now. */
  renew(id: string, holder: string, leaseUntil: number): Promise<Run | undefined>;
  /** Gives a running run back, for anybody to go on with. */
  release(id: string, holder: string): Promise<void>;
  /** Ends every lease, so that running runs are taken up again. Only for an engine that one process owns. */
  releaseAll(): Promise<void>;
  requestCancel(id: string, reason: string): Promise<boolean>;
}

export function createRunLeases(db: Kysely<Database>): RunLeases {
  return {
    async own(id, holder, leaseUntil, now) {
      const result = await db
        .updateTable('runs')
        .set({ holder, lease_until: leaseUntil })
        .where('id', '=', id)
        .where((eb) =>
          eb.or([
            eb('state', '=', QUEUED),
            eb.and([eb('state', '=', RUNNING), eb('lease_until', '<=', now)]),
          ]),
        )
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async renew(id, holder, leaseUntil) {
      const row = await db
        .updateTable('runs')
        .set({ lease_until: leaseUntil })
        .where('id', '=', id)
        .where('holder', '=', holder)
        .where('state', '=', 'running')
        .returningAll()
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async release(id, holder) {
      await db
        .updateTable('runs')
        .set({ lease_until: 0 })
        .where('id', '=', id)
        .where('holder', '=', holder)
        .where('state', '=', RUNNING)
        .execute();
    },

    async releaseAll() {
      await db.updateTable('runs').set({ lease_until: 0 }).where('state', '=', 'running').execute();
    },

    async requestCancel(id, reason) {
      const result = await db
        .updateTable('runs')
        .set({ cancel_requested: reason })
        .where('id', '=', id)
        .where('state', '=', 'running')
        .where('cancel_requested', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
  };
}
