import type { Clock } from '../lib/clock.ts';

/** Keys that are remembered; those that were not heard of for longest are forgotten first. */
const MOST_KEYS = 20_000;

/** So many of something within a time: as many at once, and then one for each part of the time. */
export interface Rate {
  count: number;
  perMs: number;
}

/** Counts by key, for a bounded number of keys. */
export interface RateLimit {
  /** Milliseconds until the key may go on; 0 when it may now. */
  wait(key: string, rate: Rate): number;
  /** Counts one. */
  take(key: string, rate: Rate): void;
}

export function createRateLimit(clock: Pick<Clock, 'elapsed'>): RateLimit {
  /** What is left of each key's count, and when that was so. */
  const buckets = new Map<string, { left: number; at: number }>();

  function leftOf(key: string, { count, perMs }: Rate): number {
    const bucket = buckets.get(key);
    if (bucket === undefined) return count;
    return Math.min(count, bucket.left + ((clock.elapsed() - bucket.at) * count) / perMs);
  }

  return {
    wait(key, rate) {
      const left = leftOf(key, rate);
      return left >= 1 ? 0 : Math.ceil(((1 - left) * rate.perMs) / rate.count);
    },
    take(key, rate) {
      const left = Math.max(0, leftOf(key, rate) - 1);
      buckets.delete(key);
      buckets.set(key, { left, at: clock.elapsed() });
      if (buckets.size > MOST_KEYS) buckets.delete(buckets.keys().next().value ?? '');
    },
  };
}
