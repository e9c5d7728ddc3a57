import type { Bucket, Insights } from '../../../model/insights.ts';

/** What an axis says beside its lines: from 0 up to at least the greatest value. */
export interface Tick {
  value: number;
  text: string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Round numbers that people count in. */
const ROUND = [1, 10, 100, 1000, 10_000].flatMap((size) => [size, 2 * size, 5 * size]);
/** What people count durations in, by the length of a step; the last holds for all that is longer. */
const UNITS = [
  { name: 's', ms: SECOND, steps: [1, 2, 5, 10, 15, 30] },
  { name: 'min', ms: MINUTE, steps: [1, 2, 5, 10, 15, 30] },
  { name: 'h', ms: HOUR, steps: [1, 2, 3, 6, 12] },
  { name: 'd', ms: DAY, steps: ROUND },
];
const SHARES = [0.05, 0.1, 0.25];
/** Lines above the lowest. */
const MOST_LINES = 4;

/** Whole numbers. Pure. */
export function countTicks(most: number): Tick[] {
  return ticks(most, stepFor(most, ROUND), String);
}

/** Milliseconds, in one unit. Pure. */
export function durationTicks(most: number): Tick[] {
  const step = stepFor(
    most,
    UNITS.flatMap(({ ms, steps }) => steps.map((count) => count * ms)),
  );
  const { name, ms } = UNITS.findLast((unit) => unit.ms <= step) ?? { name: 's', ms: SECOND };
  return ticks(most, step, (value) => `${Math.round(value / ms)} ${name}`);
}

/** Shares between 0 and 1, in percent. Pure. */
export function shareTicks(most: number): Tick[] {
  return ticks(most, stepFor(most, SHARES), (value) => `${Math.round(value * 100)} %`);
}

/** The smallest step that leads to the greatest value in a few lines. */
function stepFor(most: number, steps: readonly number[]): number {
  return steps.find((step) => step * MOST_LINES >= most) ?? Math.ceil(most / MOST_LINES);
}

function ticks(most: number, step: number, textOf: (value: number) => string): Tick[] {
  const lines = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: lines + 1 }, (_, line) => ({
    value: line * step,
    text: line === 0 ? '0' : textOf(line * step),
  }));
}

/** The buckets that have their date below, evenly: of few each. Pure. */
export function dated(count: number, most: number): number[] {
  const every = Math.ceil(count / most);
  return Array.from({ length: Math.ceil(count / every) }, (_, index) => index * every);
}

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const WITH_YEAR = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});

/** "29 Nov", UTC. */
export function dateText(at: number): string {
  return DATE.format(at);
}

/** "31 Oct 2026 – 29 Nov 2026": its first and its last day, UTC. */
export function rangeText({ from, to }: { from: number; to: number }): string {
  return [...new Set([from, to - 1].map((at) => WITH_YEAR.format(at)))].join(' – ');
}

/** "29 Nov", or "23 – 29 Nov" of a week. */
export function bucketText(
  { from, to }: Pick<Bucket, 'from' | 'to'>,
  unit: Insights['unit'],
): string {
  return unit === 'day' ? dateText(from) : [...new Set([from, to - 1].map(dateText))].join(' – ');
}
