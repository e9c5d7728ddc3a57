import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Run } from '../../model/run.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Store } from '../../store/index.ts';
import { createLoop, type Loop } from '../loop.ts';

const POLL_MS = 1000;
/** Runs that are looked at in one turn. */
const MOST = 50;

/** Looks again at runs whose window opens, and cancels those that were not approved in time. Every replica may do it. */
export function createGateLoop(deps: {
  store: Store;
  transitions: Pick<Transitions, 'hold' | 'announce'>;
  clock: Clock;
  logger: Logger;
}): Loop {
  const { store, transitions, clock, logger } = deps;

  async function turn(): Promise<boolean> {
    const due = await store.gates.due(clock.now(), MOST);
    for (const id of due) await look(id);
    return due.length === MOST;
  }

  async function look(id: string): Promise<void> {
    const found = await store.runs.get(id);
    if (found === undefined) return;
    const changed = await store.lazily(async (tables): Promise<Run[]> => {
      await tables.pauses.lock('to make runs');
      await tables.runs.lockLane(found.lane);
      const run = await tables.runs.get(id);
      // Another replica may have looked already.
      return run?.state === 'blocked' ? await transitions.hold(tables, run) : [];
    });
    for (const run of changed) transitions.announce(run);
    const [run] = changed;
    if (run === undefined || run.state === 'blocked') return;
    logger.info({ run: id, state: run.state, reason: run.reason }, 'run looked at again');
  }

  return createLoop({ name: 'gates', turn, pollMs: POLL_MS, logger });
}
