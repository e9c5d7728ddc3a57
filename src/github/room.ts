import { IMPORTANCE, isEnd, type Importance, type WriteCounts } from '../model/importance.ts';

/** Requests that create content, in any minute and in any hour. */
export interface WriteLimits {
  perMinute: number;
  perHour: number;
}

/** The rest of the hour is for the ends of runs alone. */
const FOR_ALL = 0.98;
/** When the ends of runs alone have taken this share of the hour, they are spaced: so many of the hour in each minute. */
const MANY_ENDS = 0.5;
const SPACED_ENDS = 1 / 160;
/** The last share of the minute is not for what can wait. */
const FOR_IMPORTANT = 1 / 4;

/**
 * Whether one more write of this importance has room, by two thresholds in the hour. What does not end a run stops where it would
 * take what the ends need if they went on as in the last ten minutes or half-hour, whichever was busier, and some more: runs come
 * at random, and the more of the hour their ends need, the less there is to make up for a rush. What of it goes first is
 * the order of the outbox. The ends may use the whole hour, but past many of them only a few are sent a minute: so no half-hour goes
 * by in which nothing is shown, and the end of a run that waits is overtaken by that of the next run of its lane.
 */
export function hasRoom(
  { minute, hour, ends }: WriteCounts,
  importance: Importance,
  { perMinute, perHour }: WriteLimits,
): boolean {
  if (minute >= perMinute || hour >= perHour) return false;
  if (isEnd(importance)) {
    const spaced = Math.max(1, Math.floor(perHour * SPACED_ENDS));
    return ends.hour < perHour * MANY_ENDS || ends.minute < spaced;
  }
  const canWait = importance >= IMPORTANCE.creation;
  if (canWait && minute >= perMinute - Math.floor(perMinute * FOR_IMPORTANT)) return false;
  const expected = Math.max(ends.hour, 2 * ends.halfHour, 6 * ends.tenMinutes);
  const needed = expected * (1 + expected / perHour);
  return hour - ends.hour + needed < Math.floor(perHour * FOR_ALL);
}

/** The counts with one write more. */
export function withWrite(
  { minute, hour, ends }: WriteCounts,
  importance: Importance,
): WriteCounts {
  const end = isEnd(importance) ? 1 : 0;
  return {
    minute: minute + 1,
    hour: hour + 1,
    ends: {
      minute: ends.minute + end,
      tenMinutes: ends.tenMinutes + end,
      halfHour: ends.halfHour + end,
      hour: ends.hour + end,
    },
  };
}
