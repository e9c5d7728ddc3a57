import type { Logger } from '../lib/logger.ts';
import { backoffDelay, type Backoff } from '../lib/backoff.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import { createWakeup } from '../lib/wakeup.ts';

/** A piece of the controller that works when woken, and looks by itself now and then. */
export interface Loop {
  /** There may be work. */
  wake(): void;
  /** Works until `signal` aborts; resolves when the turn under way is over. */
  run(signal: AbortSignal): Promise<void>;
}

/** After a turn that threw, nothing is tried again before this, in milliseconds. */
const PAUSE_AFTER_ERROR_MS = 1000;

/**
 * Calls `turn` again and again: at once while it answers true (there may be more), else at the next wake or after
 * `pollMs`. An error in a turn is logged and the loop goes on, because a database that is away comes back. `backoff`: how
 * long it waits after errors in a row, where the other side is to be spared; without it a second.
 */
export function createLoop(deps: {
  name: string;
  turn: (signal: AbortSignal) => Promise<boolean>;
  pollMs: number;
  backoff?: Backoff;
  logger: Logger;
}): Loop {
  const wakeup = createWakeup();
  const { backoff = { baseMs: PAUSE_AFTER_ERROR_MS, maxMs: PAUSE_AFTER_ERROR_MS } } = deps;
  let failures = 0;
  return {
    wake: () => wakeup.wake(),
    async run(signal) {
      while (!signal.aborted) {
        let more = false;
        let pause = deps.pollMs;
        try {
          more = await deps.turn(signal);
          failures = 0;
        } catch (error) {
          const fields = { loop: deps.name, error: describeError(error), hint: hintOf(error) };
          deps.logger.error(fields, 'loop turn failed');
          failures += 1;
          pause = backoffDelay(failures, backoff);
        }
        if (!more) await wakeup.wait(pause, signal);
      }
    },
  };
}
