import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** A spec that somebody has paused. */
export interface Pause {
  spec: string;
  actor: string;
  reason: string;
  pausedAt: number;
}

export interface Pauses {
  /** False when it was paused already; the first pause stays as it is. */
  add(pause: Pause): Promise<boolean>;
  /** False when it was not paused. */
  remove(spec: string): Promise<boolean>;
  get(spec: string): Promise<Pause | undefined>;
  list(): Promise<Pause[]>;
}

export function createPauses(db: Kysely<Database>): Pauses {
  const rows = () =>
    db.selectFrom('pauses').select(['spec', 'actor', 'reason', 'paused_at as pausedAt']);
  return {
    async add({ pausedAt, ...pause }) {
      const result = await db
        .insertInto('pauses')
        .values({ ...pause, paused_at: pausedAt })
        .onConflict((conflict) => conflict.column('spec').doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },

    async remove(spec) {
      const result = await db.deleteFrom('pauses').where('spec', '=', spec).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async get(spec) {
      return await rows().where('spec', '=', spec).executeTakeFirst();
    },

    async list() {
      return await rows().orderBy('spec').execute();
    },
  };
}
