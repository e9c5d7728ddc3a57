import { sql, type Kysely, type Selectable } from 'kysely';
import type { Pause, PauseTarget } from '../model/pause.ts';
import type { Run } from '../model/run.ts';
import type { Engine } from './engine.ts';
import type { Database, PauseTable } from './tables.ts';

/** The advisory lock of pauses, apart from those of lanes. */
const PAUSE_LOCK = 0x6d73_7073;

export interface Pauses {
  /**
   * Until the transaction's end nobody else pauses or resumes anything (`to make runs`), or also nobody makes runs (`to
   * change`): what is made while something is being paused is either seen by who pauses, or sees the pause. Nothing on
   * SQLite, where one transaction is under way at a time.
   */
  lock(purpose: 'to make runs' | 'to change'): Promise<void>;
  /** False when the target was paused before; that pause stays as it is. */
  add(pause: Pause): Promise<boolean>;
  /** False when it was not there. */
  remove(target: PauseTarget): Promise<boolean>;
  get(target: PauseTarget): Promise<Pause | undefined>;
  /** The oldest pause that keeps a run from starting. */
  holding(run: Pick<Run, 'spec' | 'lane'>): Promise<Pause | undefined>;
  /** Oldest first. */
  list(): Promise<Pause[]>;
}

export function createPauses(db: Kysely<Database>, engine: Engine): Pauses {
  const rows = () => db.selectFrom('pauses').selectAll();
  return {
    async lock(purpose) {
      if (engine === 'sqlite') return;
      await (
        purpose === 'to change'
          ? sql`select pg_advisory_xact_lock(${PAUSE_LOCK}, 0)`
          : sql`select pg_advisory_xact_lock_shared(${PAUSE_LOCK}, 0)`
      ).execute(db);
    },

    async add({ by, ...pause }) {
      const result = await db
        .insertInto('pauses')
        .values({ ...pause, paused_by: by })
        .onConflict((conflict) => conflict.columns(['kind', 'name']).doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },

    async remove({ kind, name }) {
      const result = await db
        .deleteFrom('pauses')
        .where('kind', '=', kind)
        .where('name', '=', name)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async get({ kind, name }) {
      const row = await rows().where('kind', '=', kind).where('name', '=', name).executeTakeFirst();
      return row && fromRow(row);
    },

    async holding({ spec, lane }) {
      const row = await rows()
        .where((eb) =>
          eb.or([
            eb.and({ kind: 'spec' as const, name: spec }),
            eb.and({ kind: 'lane' as const, name: lane }),
          ]),
        )
        .orderBy('since')
        .orderBy('kind')
        .limit(1)
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async list() {
      return (await rows().orderBy('since').orderBy('kind').orderBy('name').execute()).map(fromRow);
    },
  };
}

function fromRow({ paused_by: by, ...pause }: Selectable<PauseTable>): Pause {
  return { ...pause, by };
}
