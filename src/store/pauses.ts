import type { Pause, PauseTarget } from '../model/pause.ts';
import type { Run } from '../model/run.ts';
import { lockUntilEnd } from './locks.ts';
import { createMapping } from './mapping.ts';
import { queries, values, type Db } from './query.ts';

const mapping = createMapping<Pause>({ names: { by: 'paused_by' }, others: ['spared_run'] });

export function createPauses(db: Db) {
  const { change, isThere, value } = queries(db);
  const { all, first } = mapping.of(db);
  return {
    /**
     * Until the transaction's end no other pauses or resumes anything (`to make runs`), or also makes runs (`to change`):
     * a run that is made while something is being paused is either seen by the pause, or sees it.
     */
    lock: (purpose: 'to make runs' | 'to change') =>
      lockUntilEnd(db, 'pauses', '', purpose === 'to change' ? 'alone' : 'shared'),

    /** False when the target was paused before; that pause stays as it is. `spared`: the run that it lets pass. */
    async add(pause: Pause, spared?: string): Promise<boolean> {
      const row = { ...mapping.write(pause), spared_run: spared };
      return (await change`insert into pauses ${values([row])} on conflict do nothing`) > 0;
    },

    /** Removes the pause that a rollback has left on a lane, but none that a person has made. */
    async releaseRollback(lane: string): Promise<void> {
      await change`delete from pauses
        where kind = 'lane' and name = ${lane} and spared_run is not null`;
    },

    /** The run that the pause of a rollback lets pass in a lane. */
    sparedBy: (lane: string) =>
      value<string>`select spared_run from pauses where kind = 'lane' and name = ${lane}`,

    /** Whether the pause of a rollback lets a run pass. */
    spares: (run: string) => isThere`select name from pauses where spared_run = ${run}`,

    /** What let the run `from` pass lets `to` pass instead. */
    async spareInstead(from: string, to: string): Promise<void> {
      await change`update pauses set spared_run = ${to} where spared_run = ${from}`;
    },

    /** False when it was not there. */
    async remove({ kind, name }: PauseTarget): Promise<boolean> {
      return (await change`delete from pauses where kind = ${kind} and name = ${name}`) > 0;
    },

    get: ({ kind, name }: PauseTarget) =>
      first`select * from pauses where kind = ${kind} and name = ${name}`,

    /** The oldest pause that keeps a run from starting. */
    holding: ({ id, spec, lane }: Pick<Run, 'id' | 'spec' | 'lane'>) =>
      first`select * from pauses
        where (kind = 'spec' and name = ${spec} or kind = 'lane' and name = ${lane})
        and (spared_run is null or spared_run <> ${id})
        order by since, kind limit 1`,

    /** Whether something of another repository is deployed in the lane. */
    isLaneOfOthers: (lane: string, repository: string) =>
      isThere`select spec from environments
        where lane = ${lane} and lower(repository) <> ${repository.toLowerCase()} limit 1`,

    /** Oldest first. */
    list: () => all`select * from pauses order by since, kind, name`,
  };
}
