import { backoffDelay } from './backoff.ts';
import type { Clock } from './clock.ts';
import { RetryableError } from './errors.ts';

const BACKOFF = { baseMs: 100, maxMs: 1000 };

/**
 * Calls `work` again, with backoff, while it throws RetryableError, for `timeoutMs` milliseconds at most. `work` may be done
 * twice. Throws what the last attempt threw.
 */
export async function retry<Result>(
  deps: { clock: Clock; timeoutMs: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const until = deps.clock.elapsed() + deps.timeoutMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const delay = backoffDelay(attempt, BACKOFF);
      if (!(error instanceof RetryableError) || deps.clock.elapsed() + delay > until) throw error;
      await deps.clock.sleep(delay);
    }
  }
}
