/** A latch between the code that has work and the loop that does it: a `wake` that comes while the loop does not wait is not lost. */
export interface Wakeup {
  wake(): void;
  /** Resolves at the next (or an unconsumed earlier) `wake`, after `timeoutMs`, or when `signal` aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

export function createWakeup(): Wakeup {
  let pending = false;
  let resume: (() => void) | undefined;
  return {
    wake() {
      pending = true;
      resume?.();
    },
    async wait(timeoutMs, signal) {
      if (!pending && !signal.aborted) {
        await new Promise<void>((resolve) => {
          // Signals outlive thousands of waits: nothing of this one may stay behind on them.
          const finish = () => {
            clearTimeout(timer);
            signal.removeEventListener('abort', finish);
            resume = undefined;
            resolve();
          };
          const timer = setTimeout(finish, timeoutMs);
          signal.addEventListener('abort', finish, { once: true });
          resume = finish;
        });
      }
      pending = false;
    },
  };
}
