/** Time as the rest of the code sees it, so that tests can own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since any time in the past, whatever the wall clock is set to: for what is waited for within this process. */
  elapsed(): number;
  /** Resolves after `ms`, or at once (without an error) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  // Not the one of `node:timers/promises`: making its AbortError took a tenth of the time of taking in a webhook.
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
      function done() {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      }
    }),
};

/** ISO 8601 UTC with milliseconds: the only form in which times leave the process. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
