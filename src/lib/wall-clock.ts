/** Times by the clock on the wall: in whole minutes, as if they were UTC. */

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

/** What the clock on the wall shows at an instant, in milliseconds since the epoch. */
export type Wall = (instant: number) => number;

/** The clock of an IANA time zone. Throws RangeError when there is none of that name. */
export function wallIn(timeZone: string): Wall {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (instant) => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instant)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute);
  };
}

/**
 * When the clock shows `wall`, in order: twice where the clock is set back over it. For a time that is skipped, when the clock
 * would have shown it.
 */
export function instantsOf(wall: number, wallAt: Wall): [number, ...number[]] {
  // A zone changes its clock at most once in two days.
  const offsets = [wall - DAY_MS, wall + DAY_MS].map((near) => wallAt(near) - near);
  const before = wall - (offsets[0] ?? 0);
  const [first, ...others] = [...new Set(offsets.map((offset) => wall - offset))]
    .filter((instant) => wallAt(instant) === wall)
    .sort((a, b) => a - b);
  return first === undefined ? [before] : [first, ...others];
}

/** `Mon 2026-11-30 09:00 Europe/Berlin`. */
export function formatWall(instant: number, timeZone: string): string {
  const wall = new Date(wallIn(timeZone)(instant)).toISOString();
  const day = new Date(wall).toLocaleDateString('en-US', { weekday: 'short', timeZone: 'UTC' });
  return `${day} ${wall.slice(0, 16).replace('T', ' ')} ${timeZone}`;
}
