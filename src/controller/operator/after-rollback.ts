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
 * person has made stays as it is, and keeps the rollback waiting too. `lanes`: that one, and the rollback's own where it is another.
 * Answers what pauses the first of them, and the runs that wait in them as they are then. Only with the lock of pauses.
 */
export async function settleLanes(
  deps: { transitions: Transitions; tables: Tables },
  rollback: Run,
  lanes: readonly string[],
  pause: Pause | undefined,
): Promise<{ pause: Pause | undefined; changed: Run[] }> {
  const { tables, transitions } = deps;
  if (pause !== undefined) await tables.pauses.add(pause, rollback.id);
  const targets = lanes.map((name) => ({ kind: 'lane', name }) as const);
  const changed: Run[] = [];
  for (const target of targets) {
    for (const state of ['blocked', 'queued'] as const) {
      for (const run of await tables.runs.waitingIn(target, state)) {
        changed.push(...(await transitions.hold(tables, run)));
      }
    }
  }
  const [first] = targets;
  return { pause: first && (await tables.pauses.get(first)), changed };
}
