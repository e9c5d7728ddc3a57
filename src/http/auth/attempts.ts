import type { Clock } from '../../lib/clock.ts';
import { ProblemError } from '../problem.ts';

const WINDOW_MS = 60_000;
const MOST_OF_ONE = 10;
const MOST_OF_ALL = 100;

/** Counts log-ins that failed, by the address that they came from and all together. */
export interface Attempts {
  /** Throws ProblemError `too-many-attempts` when there were too many in the last minute. */
  check(address: string): void;
  /** Counts one that failed. */
  fail(address: string): void;
}

export function createAttempts(clock: Pick<Clock, 'elapsed'>): Attempts {
  /** Oldest first; never more than `MOST_OF_ALL`, as more are not let through. */
  let failures: { at: number; address: string }[] = [];
  return {
    check(address) {
      const since = clock.elapsed() - WINDOW_MS;
      failures = failures.filter(({ at }) => at > since);
      const own = failures.filter((one) => one.address === address).length;
      if (own < MOST_OF_ONE && failures.length < MOST_OF_ALL) return;
      throw new ProblemError(429, 'too-many-attempts', 'too many log-ins have failed', {
        hint: 'wait a minute',
        headers: { 'Retry-After': String(WINDOW_MS / 1000) },
      });
    },
    fail: (address) => void failures.push({ at: clock.elapsed(), address }),
  };
}
