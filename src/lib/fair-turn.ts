import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds that one piece of work may keep everything else waiting. */
const TURN_MS = 5;

/**
 * For work that goes on for long: called now and then, it lets everything else in the process have its turn when this work
 * had the event loop for some milliseconds. By time, since how long a step takes depends on the machine.
 */
export function createFairTurn(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < TURN_MS) return;
    await nextTurn();
    since = performance.now();
  };
}
