import { DAY_MS, instantsOf, MINUTE_MS, wallIn } from '../lib/wall-clock.ts';
import { ownEvents } from './own-event.ts';

/** One entry of `on.schedule`: times at which a spec's branch or tag is deployed as it is then. */
export interface ScheduleTrigger {
  /** The five fields as they are written. */
  cron: string;
  times: CronTimes;
  /** An IANA name, whose clock the times go by, summer time included. */
  timeZone: string;
  /** The branch or tag; undefined: the default branch. */
  ref: string | undefined;
  /** What becomes of times that passed while no Mainsheet was running: one run makes up for all of them, or none does. */
  missed: 'once' | 'skip';
}

/** What the fields allow. Days of the week: 0 is Sunday. Months: 1 is January. */
export interface CronTimes {
  minutes: readonly number[];
  hours: readonly number[];
  daysOfMonth: readonly number[];
  months: readonly number[];
  daysOfWeek: readonly number[];
}

/** What is stored of a time that came: the payload of its delivery, and what expressions call `event`. */
export interface SchedulePayload {
  spec: string;
  schedule: string;
  timezone: string;
  /** The time that the schedule meant, in ISO 8601. */
  due: string;
}

/** 29 February comes eight years later at the latest. */
const DAYS_AHEAD = 8 * 366;
/** No clock is set back or forward by more than this. */
const SHIFT = 3 * 60 * MINUTE_MS;
const HOURS_A_DAY = 24;
const DAYS_A_MONTH = 31;
const DAYS_A_WEEK = 7;

const events = ownEvents('schedule');
/** What a delivery of a schedule has as its event. */
export const scheduleEventName = events.nameOf;
/** The spec of a delivery of a schedule, by its event's name; undefined for others. */
export const scheduleOfEvent = events.aboutOf;

/**
 * The first time after `after` that a schedule means, in milliseconds since the epoch; undefined when there is none in eight years.
 * As in cron, one of the two kinds of days suffices when both are restricted. An hour that summer time skips is made up for after
 * it; one that comes twice counts once, unless the schedule is for every hour. Pure.
 */
export function nextTime(
  { times, timeZone }: Pick<ScheduleTrigger, 'times' | 'timeZone'>,
  after: number,
): number | undefined {
  const wallAt = wallIn(timeZone);
  const from = wallAt(after) - SHIFT;
  const isHourly = times.hours.length === HOURS_A_DAY;
  let found: { wall: number; instant: number } | undefined;
  for (const wall of wallsOf(times, from)) {
    // What comes later by the clock may be earlier only where the clock is set back.
    if (found !== undefined && wall > found.wall + SHIFT) break;
    const [first, ...again] = instantsOf(wall, wallAt);
    for (const instant of isHourly ? [first, ...again] : [first]) {
      if (instant <= after || (found !== undefined && instant >= found.instant)) continue;
      found = { wall, instant };
    }
  }
  return found?.instant;
}

/** What the clock shows at the times of a schedule, from a time on, in order. */
function* wallsOf(times: CronTimes, from: number): Generator<number> {
  const today = from - (from % DAY_MS);
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead += 1) {
    const day = today + ahead * DAY_MS;
    if (!isOn(times, new Date(day))) continue;
    for (const hour of times.hours) {
      for (const minute of times.minutes) {
        const wall = day + (hour * 60 + minute) * MINUTE_MS;
        if (wall >= from) yield wall;
      }
    }
  }
}

function isOn({ daysOfMonth, months, daysOfWeek }: CronTimes, day: Date): boolean {
  if (!months.includes(day.getUTCMonth() + 1)) return false;
  const inMonth = daysOfMonth.includes(day.getUTCDate());
  const inWeek = daysOfWeek.includes(day.getUTCDay());
  const isEither = daysOfMonth.length < DAYS_A_MONTH && daysOfWeek.length < DAYS_A_WEEK;
  return isEither ? inMonth || inWeek : inMonth && inWeek;
}
