import type { Clock } from '../../lib/clock.ts';
import { senderOf } from '../../lib/networks.ts';
import { ProblemError } from '../problem.ts';
import { createRateLimit } from '../rate-limit.ts';

const WINDOW_MS = 60_000;
const MOST_OF_ONE = 10;
const MOST_OF_ALL = 100;
const MOST_REMEMBERED = 10_000;

/** Log-ins with GitHub. */
const ARRIVALS_OF_ONE = { count: 10, perMs: WINDOW_MS };
const ARRIVALS_OF_ALL = { count: 30, perMs: WINDOW_MS };

/**
 * Counts log-ins that failed and wrong tokens, by the address that they came from (IPv6: its /64) and all together. However many have failed
 * elsewhere, an address where none has may try, so that strangers cannot keep out the one who has the token: each address
 * has one guess a minute then.
 */
export interface Attempts {
  /** Throws ProblemError `too-many-attempts` when there were too many in the last minute. */
  check(address: string): void;
  /** Counts one that failed. Returns how to take that back. */
  fail(address: string): () => void;
  /**
   * Counts a user of GitHub who logs in: every one of them may, and what they may see has to be asked there. Throws ProblemError
   * `too-many-log-ins` when there are too many.
   */
  arrive(address: string): void;
}

export function createAttempts(clock: Pick<Clock, 'elapsed'>): Attempts {
  const arrivals = createRateLimit(clock);
  /** Oldest first. */
  let failures: { at: number; sender: string }[] = [];
  return {
    check(address) {
      const since = clock.elapsed() - WINDOW_MS;
      failures = failures.filter(({ at }) => at > since);
      const sender = senderOf(address);
      const own = failures.filter((one) => one.sender === sender).length;
      if (own === 0 || (own < MOST_OF_ONE && failures.length < MOST_OF_ALL)) return;
      throw new ProblemError(429, 'too-many-attempts', 'too many log-ins have failed', {
        hint: 'wait a minute',
        headers: { 'Retry-After': String(WINDOW_MS / 1000) },
      });
    },
    fail(address) {
      const failure = { at: clock.elapsed(), sender: senderOf(address) };
      failures.push(failure);
      if (failures.length > MOST_REMEMBERED) failures.shift();
      return () => {
        failures = failures.filter((one) => one !== failure);
      };
    },
    arrive(address) {
      const limits = [
        [`of ${senderOf(address)}`, ARRIVALS_OF_ONE],
        ['all', ARRIVALS_OF_ALL],
      ] as const;
      const waitMs = Math.max(...limits.map(([key, rate]) => arrivals.wait(key, rate)));
      if (waitMs > 0) {
        throw new ProblemError(429, 'too-many-log-ins', 'too many people log in with GitHub', {
          hint: 'try again in a minute; the admin token still logs in',
          headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
        });
      }
      for (const [key, rate] of limits) arrivals.take(key, rate);
    },
  };
}
