import { RetryableError, TerminalError } from '../lib/errors.ts';

/** Whether GitHub is to be left alone for a while. All times are those of the clock's `elapsed`, in milliseconds. */
export interface Circuit {
  /** Whether one more request may be sent while `open` are under way. */
  allows(now: number, open: number): boolean;
  /** 0 when GitHub is not left alone. */
  pausedUntil(): number;
  /** GitHub answered as it should. */
  worked(): void;
  /** A request that was begun at `begunAt` failed. Answers whether it was a rate limit. */
  failed(error: unknown, begunAt: number, now: number): boolean;
}

/** One failure is bad luck; after so many in a row GitHub is in trouble. */
const TROUBLE = 3;
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 2 * 60_000;
/** When GitHub limits without saying for how long, it asks for at least a minute, and for more each time: the page below. */
const FIRST_LIMIT_MS = 60_000;
const LONGEST_LIMIT_MS = 15 * 60_000;

/** Failures that say something about GitHub or the way to it, and not about one request. */
const TROUBLES = new Set([
  'github-unavailable',
  'github-unreadable',
  'github-unreachable',
  'github-timeout',
  'github-unauthorized',
]);

/**
 * Remembers for all callbacks of an account what one of them learned: that GitHub asked to wait, or that it does not answer. When
 * the pause is over after trouble, one request at a time tries, until one works.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
export function createCircuit(): Circuit {
  let until = 0;
  let strikes = 0;
  let limits = 0;
  /** Requests that were begun before this failed together with those that are counted already. */
  let countedAt = 0;

  function worked(): void {
    strikes = 0;
    limits = 0;
  }

  return {
    allows: (now, open) => now >= until && ((strikes < TROUBLE && limits === 0) || open === 0),
    pausedUntil: () => until,
    worked,
    failed(error, begunAt, now) {
      if (error instanceof TerminalError) worked(); // A refusal is an answer.
      if (!(error instanceof RetryableError)) return false;
      // What answers one request with a page may answer the next one as it should.
      const asked = error.code === 'github-unreadable' ? 0 : (error.retryAfterMs ?? 0);
      const limited = error.code === 'github-rate-limited';
      if (!limited && !TROUBLES.has(error.code)) return false;
      if (begunAt >= countedAt) {
        countedAt = now + 1;
        if (limited) limits += 1;
        else strikes += 1;
      }
      const own = limited
        ? pause(limits, FIRST_LIMIT_MS, LONGEST_LIMIT_MS)
        : pause(strikes - TROUBLE + 1, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      // The first limit's own pause is whatever GitHub said; only a repeated one waits longer than that.
      const wait = limited && limits <= 1 ? asked : Math.max(asked, own);
      until = Math.max(until, now + wait);
      return limited;
    },
  };
}

/** Doubles from the first time on; nothing before it. */
function pause(times: number, firstMs: number, longestMs: number): number {
  return times < 1 ? 0 : Math.min(longestMs, firstMs * 2 ** Math.min(times - 1, 20));
}
