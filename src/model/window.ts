import { DAY_MS, instantsOf, MINUTE_MS, wallIn, type Wall } from '../lib/wall-clock.ts';

/** A part of the week, or a stretch of days, by the clock on the wall. */
export type TimeRange =
  | {
      kind: 'weekly';
      /** 0 is Sunday. */
      days: readonly number[];
      /** Minutes since midnight; a range that ends no later than it begins ends on the next day. */
      from: number;
      to: number;
      /** As it is written. */
      text: string;
    }
  | {
      kind: 'dates';
      /** `2026-12-20T00:00`; `to` is the first minute that is not in it. */
      from: string;
      to: string;
      text: string;
    };

/** When runs may start: inside one of `allow` (an empty list allows always), and in none of `deny`. */
export interface TimeWindow {
  allow: readonly TimeRange[];
  deny: readonly TimeRange[];
  /** An IANA name, whose clock the ranges go by, summer time included. */
  timeZone: string;
}

/** Whether a window is open at a time, and what it waits for when it is not. */
export interface WindowState {
  isOpen: boolean;
  /** The range of `deny` that it is in. */
  denied: TimeRange | undefined;
  /** When it opens, in milliseconds since the epoch; undefined when it is open, or nothing in sight opens it. */
  opensAt: number | undefined;
}

/** A week has every weekly range, and the day after it the end of the last. */
const DAYS_AHEAD = 8;

/** The clock on the wall decides, so an hour that summer time skips is in no range, and one that comes twice is twice in it. Pure. */
export function windowAt(window: TimeWindow, now: number): WindowState {
  const wallAt = wallIn(window.timeZone);
  const { isOpen, denied } = stateAt(window, wallAt(now));
  return { isOpen, denied, opensAt: isOpen ? undefined : opening(window, now, wallAt) };
}

function stateAt({ allow, deny }: TimeWindow, wall: number) {
  const denied = deny.find((range) => contains(range, wall));
  const isAllowed = allow.length === 0 || allow.some((range) => contains(range, wall));
  return { isOpen: denied === undefined && isAllowed, denied };
}

function contains(range: TimeRange, wall: number): boolean {
  if (range.kind === 'dates') return wall >= wallOf(range.from) && wall < wallOf(range.to);
  const { days, from, to } = range;
  const midnight = wall - (wall % DAY_MS);
  const minute = (wall - midnight) / MINUTE_MS;
  const isOn = (day: number) => days.includes(new Date(day).getUTCDay());
  if (from < to) return isOn(midnight) && minute >= from && minute < to;
  return (isOn(midnight) && minute >= from) || (isOn(midnight - DAY_MS) && minute < to);
}

/** The first time at which a range begins or ends and the window is open. */
function opening(window: TimeWindow, now: number, wallAt: Wall): number | undefined {
  const ranges = [...window.allow, ...window.deny];
  const today = wallAt(now) - (wallAt(now) % DAY_MS);
  const ends = ranges.flatMap((range) =>
    range.kind === 'dates' ? [wallOf(range.from), wallOf(range.to)] : [],
  );
  const days = new Set<number>();
  for (const from of [today, ...ends.map((end) => end - (end % DAY_MS))]) {
    for (let ahead = 0; ahead <= DAYS_AHEAD; ahead += 1) days.add(from + ahead * DAY_MS);
  }
  const minutes = new Set(
    ranges.flatMap((range) => (range.kind === 'weekly' ? [range.from, range.to] : [])),
  );
  const walls = [...days].flatMap((day) => [...minutes].map((minute) => day + minute * MINUTE_MS));
  return [...walls, ...ends]
    .flatMap((wall) => instantsOf(wall, wallAt))
    .filter((instant) => instant > now)
    .sort((a, b) => a - b)
    .find((instant) => stateAt(window, wallAt(instant)).isOpen);
}

function wallOf(text: string): number {
  return Date.parse(`${text}Z`);
}
