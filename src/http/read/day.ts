import { DAY_MS } from '../../model/insights.ts';

/** The first and the last millisecond of a day in UTC, `2026-11-29`; undefined for what is none. Pure. */
export function dayOf(text: string): { from: number; to: number } | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const from = Date.parse(text);
  // What a month does not have, Date takes for a day of the next.
  if (Number.isNaN(from) || new Date(from).toISOString().slice(0, 10) !== text) return undefined;
  return { from, to: from + DAY_MS - 1 };
}
