export interface Backoff {
  /** Delay before the second attempt, in milliseconds. */
  baseMs: number;
  /** No delay is longer than this, in milliseconds. */
  maxMs: number;
}

/**
 * How long to wait after `attempt` (1 = the first) failed: doubling from `baseMs`, at most `maxMs`, with full jitter in
 * the upper half so that a crowd that failed together does not return together.
 */
export function backoffDelay(
  attempt: number,
  backoff: Backoff,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
