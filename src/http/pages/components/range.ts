import { DAY_MS, MOST_RANGE_DAYS, type Range } from '../../../model/insights.ts';
import { dayOf } from '../../read/day.ts';
import { html, pathTo, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { asked } from '../page.ts';

/** Days back from today that can be chosen at once. */
const PRESETS = [7, 30, 90, 365];
const DEFAULT_DAYS = 30;

/** A range as it was asked for: days back from today, or from one day to another. */
export interface AskedRange {
  /** Undefined: days were asked for. */
  days: number | undefined;
  /** As they were written, also when they are no days. */
  from: string | undefined;
  to: string | undefined;
  /** Whole days in UTC, and today as far as it is. Text: what is wrong with it. */
  range: Range | string;
}

/** Days that were written count before `days`. One of them alone: up to today, or the 30 days up to it. Pure. */
export function rangeAsked(query: URLSearchParams, now: number): AskedRange {
  const [from, to] = [asked(query, 'from'), asked(query, 'to')];
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  if (from === undefined && to === undefined) {
    const days = PRESETS.find((one) => String(one) === query.get('days')) ?? DEFAULT_DAYS;
    return { days, from, to, range: { from: today - (days - 1) * DAY_MS, to: now } };
  }
  return { days: undefined, from, to, range: between(from, to, { today, now }) };
}

function between(
  from: string | undefined,
  to: string | undefined,
  { today, now }: { today: number; now: number },
): Range | string {
  const last = to === undefined ? today : dayOf(to)?.from;
  if (last === undefined) return `“${to}” is no day. Write it as 2026-11-29.`;
  const first = from === undefined ? last - (DEFAULT_DAYS - 1) * DAY_MS : dayOf(from)?.from;
  if (first === undefined) return `“${from}” is no day. Write it as 2026-11-29.`;
  if (first > today) return 'The first day has not come yet.';
  if (first > last) return 'The first day is after the last one.';
  if (last - first >= MOST_RANGE_DAYS * DAY_MS) {
    return `That is more than ${MOST_RANGE_DAYS} days. Choose a shorter range.`;
  }
  return { from: first, to: Math.min(last + DAY_MS, Math.max(now, first + 1)) };
}

/** Two days, and the preset that counts while they are empty. Wrong ones are sent, too: the answer says what is wrong. */
export function rangeFields({ days, from, to }: AskedRange): Html {
  const field = (name: string, label: string, value: string | undefined) =>
    html`<label class="range-field"><span class="small muted">${label}</span><input class="field" type="date" name="${name}" value="${value}"></label>`;
  return html`<input type="hidden" name="days" value="${days}">${field('from', 'From', from)}${field('to', 'To', to)}`;
}

/** Links to ranges that end today. */
export function rangePresets(
  { root }: Frame,
  path: string,
  { days }: AskedRange,
  filter: Readonly<Record<string, string | undefined>>,
): Html {
  return html`<nav class="presets" aria-label="Days up to today">${PRESETS.map(
    (one) =>
      html`<a href="${root}${pathTo([path], { days: String(one), ...filter })}"${one === days ? html` aria-current="true"` : ''}>${one} days</a>`,
  )}</nav>`;
}
