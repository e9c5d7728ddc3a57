import type { Pause } from '../../model/pause.ts';
import type { Run } from '../../model/run.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Tables } from '../../store/index.ts';

/** A rollback that was asked for. */
export interface RolledBack {
  run: Run;
  /** What keeps the lane as it is after it; undefined: the next commit is deployed. */
  pause: Pause | undefined;
}

/**
 * Pauses a lane after a rollback, for every run but the rollback's, so that the next commit does not undo it. A pause that a
 * person has made stays as it is, and keeps the rollback waiting too. Answers what pauses the lane, and the runs that wait in
 * it as they are then. Only with the lock of pauses.
 */
export async function settleLane(
  deps: { transitions: Transitions; tables: Tables },
  rollback: Run,
  pause: Pause | undefined,
): Promise<{ pause: Pause | undefined; changed: Run[] }> {
  const { tables, transitions } = deps;
  const target = { kind: 'lane', name: rollback.lane } as const;
  if (pause !== undefined) await tables.pauses.add(pause, rollback.id);
  const changed: Run[] = [];
  for (const state of ['blocked', 'queued'] as const) {
    for (const run of await tables.runs.waitingIn(target, state)) {
      changed.push(...(await transitions.hold(tables, run)));
    }
  }
  return { pause: await tables.pauses.get(target), changed };
}
