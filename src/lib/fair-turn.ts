import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds that one piece of work may keep everything else waiting. */
const TURN_MS = 5;

/**
 * For work that goes on for long: called now and then, it lets everything else in the process have its turn when this work
 * had the event loop for some milliseconds. By time, since how long a step takes depends on the machine.
 * Answers undefined as long as there is nothing to wait for.
 */
export function createFairTurn(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN_MS) return undefined;
    return nextTurn().then(() => void (since = performance.now()));
  };
}

/** The result of work that comes back now and then, when everything else has its turn. */
export async function inTurns<Result>(
  work: Generator<void, Result>,
  fairTurn = createFairTurn(),
): Promise<Result> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await fairTurn();
  }
}
