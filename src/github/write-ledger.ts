import { IMPORTANCE, type Importance } from '../model/importance.ts';

/** Requests that create content, in any minute and in any hour. */
export interface WriteLimits {
  perMinute: number;
  perHour: number;
}

/**
 * The writes of one account in the last hour; those of more than a minute later than now are no longer known. All times are
 * milliseconds since the epoch.
 */
export interface WriteLedger {
  add(at: number, importance: Importance, count?: number): void;
  /** How many more writes of this importance may be made now; 0 or less: none. */
  room(importance: Importance, now: number): number;
  /** Writes within the last minute or hour. */
  used(window: 'minute' | 'hour', now: number): number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The rest of the hour is for what ends a run alone. */
const SHARED = 0.98;
/** When the ends of runs alone have taken this share of the hour, they are spaced. */
const MANY_ENDS = 0.45;
/** Then what is left lasts for about half an hour, and there is always some each minute. */
const SPREAD_MINUTES = 30;
const LEAST_ENDS = 1 / 160;
/** Writes are counted by the second. */
const GRAIN_MS = 1000;
/** A write is added when it is allowed, and is with GitHub up to this much later: it counts until then is out of the window. */
const UNDER_WAY_MS = 10_000;
const COUNTED_MS = GRAIN_MS + UNDER_WAY_MS;
/** Clocks of replicas differ by less. What is later than that was written before the clock was set back. */
const AHEAD_MS = 60_000;

/**
 * Counts writes in two sliding windows and decides what there is room for. What ends a run may use all that is left. Anything
 * less important may use, of the hour, only what all that is more important is not expected to need, as it was
 * in the last hour, half-hour or ten minutes, whichever was busiest. So at few runs an hour everything is shown, and when there are many,
 * what is less important stops long before the hour is used up, and not when it is too late. Of the minute a quarter is left
 * to what is important.
 *
 * When there are so many runs that the hour does not even take their ends, those are spaced, so that no half-hour goes by in which
 * nothing is shown at all; the end of a run that waits is overtaken by that of the next run of its lane.
 */
export function createWriteLedger(limits: WriteLimits): WriteLedger {
  /** Oldest second first, within a second in any order. */
  let writes: { at: number; importance: Importance; count: number }[] = [];

  /** Forgets what is out of every window, and what is not to come into one when a clock that was set back has caught up with it. */
  function forget(now: number): void {
    writes = writes.filter(({ at }) => at + COUNTED_MS > now - HOUR_MS && at <= now + AHEAD_MS);
  }

  function count(since: number, accept: (importance: Importance) => boolean): number {
    let sum = 0;
    for (const write of writes) {
      if (write.at + COUNTED_MS > since && accept(write.importance)) sum += write.count;
    }
    return sum;
  }

  /** Without what only may still be counted by GitHub: for what is no limit. */
  function recent(windowMs: number, now: number, accept: (importance: Importance) => boolean) {
    return count(now - windowMs + COUNTED_MS, accept);
  }

  /** How many writes of the hour what is more important is expected to need. */
  function expected(importance: Importance, now: number): number {
    const seen = (windowMs: number) => recent(windowMs, now, (other) => other < importance);
    const tenMinutes = seen(HOUR_MS / 6);
    // Ten minutes notice a rush early, but chance makes them vary by about the square root.
    return Math.max(seen(HOUR_MS), 2 * seen(HOUR_MS / 2), 6 * (tenMinutes - Math.sqrt(tenMinutes)));
  }

  function hourRoom(importance: Importance, now: number): number {
    const free = limits.perHour - count(now - HOUR_MS, all);
    if (isEnd(importance)) return Math.min(free, endsRoom(free, now));
    const own = count(now - HOUR_MS, (other) => other >= importance);
    const shared = Math.floor(limits.perHour * SHARED);
    return Math.min(free, shared - Math.ceil(expected(importance, now)) - own);
  }

  /** How many more ends of runs may be shown in this minute when `free` writes of the hour are left. */
  function endsRoom(free: number, now: number): number {
    if (count(now - HOUR_MS, isEnd) < limits.perHour * MANY_ENDS) return Infinity;
    const aMinute = Math.max(1, free / SPREAD_MINUTES, limits.perHour * LEAST_ENDS);
    return Math.floor(aMinute) - recent(MINUTE_MS, now, isEnd);
  }

  return {
    add(at, importance, added = 1) {
      const second = Math.floor(at / GRAIN_MS) * GRAIN_MS;
      const same = writes.findLast(
        (write) => write.at === second && write.importance === importance,
      );
      if (same === undefined) writes.push({ at: second, importance, count: added });
      else same.count += added;
    },
    room(importance, now) {
      forget(now);
      const reserve = importance >= IMPORTANCE.creation ? Math.floor(limits.perMinute / 4) : 0;
      const minute = limits.perMinute - count(now - MINUTE_MS, all) - reserve;
      return Math.min(minute, hourRoom(importance, now));
    },
    used(window, now) {
      forget(now);
      return count(now - (window === 'minute' ? MINUTE_MS : HOUR_MS), all);
    },
  };
}

const all = () => true;
const isEnd = (importance: Importance) => importance <= IMPORTANCE.olderFinal;
