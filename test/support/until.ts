import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `probe` gives something other than undefined or false, and returns it. Asks again and again instead of
 * sleeping for a guessed time; gives up with `what` and the last error when nothing came of it.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 90_000,
): Promise<T> {
  let last: unknown;
  const start = Date.now();
  // A process that was stopped for as long looks once more.
  for (let isLate = false; !isLate; await delay(pauseAfter(Date.now() - start))) {
    isLate = Date.now() >= start + timeoutMs;
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: last });
}

/** The longer it has waited, the seldomer it asks: a tenth of the time is lost at most, and asking takes less from what it waits for. */
function pauseAfter(waitedMs: number): number {
  return Math.min(Math.max(15, waitedMs / 10), 250);
}
