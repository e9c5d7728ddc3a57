import { sql } from 'kysely';
import type { Pause, PauseTarget } from '../model/pause.ts';
import type { Run } from '../model/run.ts';
import type { Engine } from './engine.ts';
import { queries, type Db } from './query.ts';

/** The advisory lock of pauses, apart from those of lanes. */
const PAUSE_LOCK = 0x6d73_7073;

const COLUMNS = sql`kind, name, since, paused_by as by, reason`;

export type Pauses = ReturnType<typeof createPauses>;

export function createPauses(db: Db, engine: Engine) {
  const { all, change, first } = queries(db);
  return {
    /**
     * Until the transaction's end no other pauses or resumes anything (`to make runs`), or also makes runs (`to change`):
     * a run that is made while something is being paused is either seen by the pause, or sees it. Nothing on SQLite, where
     * one transaction is under way at a time.
     */
    async lock(purpose: 'to make runs' | 'to change'): Promise<void> {
      if (engine === 'sqlite') return;
      const shared = purpose === 'to change' ? sql`` : sql`_shared`;
      await all`select pg_advisory_xact_lock${shared}(${PAUSE_LOCK}, 0)`;
    },

    /** False when the target was paused before; that pause stays as it is. `spared`: the run that it lets pass. */
    async add({ kind, name, since, by, reason }: Pause, spared?: string): Promise<boolean> {
      const added =
        await change`insert into pauses (kind, name, since, paused_by, reason, spared_run)
        values (${kind}, ${name}, ${since}, ${by}, ${reason}, ${spared})
        on conflict (kind, name) do nothing`;
      return added > 0;
    },

    /** Removes the pause that a rollback has left on a lane, but none that a person has made. */
    async releaseRollback(lane: string): Promise<void> {
      await change`delete from pauses
        where kind = 'lane' and name = ${lane} and spared_run is not null`;
    },

    /** The run that the pause of a rollback lets pass in a lane. */
    async sparedBy(lane: string): Promise<string | undefined> {
      const found = await first<{ run: string | null }>`select spared_run as run from pauses
        where kind = 'lane' and name = ${lane}`;
      return found?.run ?? undefined;
    },

    /** What let the run `from` pass lets `to` pass instead. */
    async spareInstead(from: string, to: string): Promise<void> {
      await change`update pauses set spared_run = ${to} where spared_run = ${from}`;
    },

    /** False when it was not there. */
    async remove({ kind, name }: PauseTarget): Promise<boolean> {
      return (await change`delete from pauses where kind = ${kind} and name = ${name}`) > 0;
    },

    get: ({ kind, name }: PauseTarget) =>
      first<Pause>`select ${COLUMNS} from pauses where kind = ${kind} and name = ${name}`,

    /** The oldest pause that keeps a run from starting. */
    holding: ({ id, spec, lane }: Pick<Run, 'id' | 'spec' | 'lane'>) =>
      first<Pause>`select ${COLUMNS} from pauses
        where (kind = 'spec' and name = ${spec} or kind = 'lane' and name = ${lane})
        and (spared_run is null or spared_run <> ${id})
        order by since, kind limit 1`,

    /** Whether something of another repository is deployed in the lane. */
    async isLaneOfOthers(lane: string, repository: string): Promise<boolean> {
      const other = await first`select spec from environments
        where lane = ${lane} and lower(repository) <> ${repository.toLowerCase()} limit 1`;
      return other !== undefined;
    },

    /** Oldest first. */
    list: () => all<Pause>`select ${COLUMNS} from pauses order by since, kind, name`,
  };
}
