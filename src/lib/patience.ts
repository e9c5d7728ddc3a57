import { backoffDelay } from './backoff.ts';
import type { Clock } from './clock.ts';
import { RetryableError } from './errors.ts';

const BACKOFF = { baseMs: 100, maxMs: 1000 };

/**
 * Does what may be done twice, and does it again while it throws RetryableError, for `patienceMs` at most. Throws what the
 * last attempt threw.
 */
export async function patiently<Result>(
  deps: { clock: Clock; patienceMs: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const until = deps.clock.elapsed() + deps.patienceMs;
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
