import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoTime } from '../../../../src/lib/clock.ts';
import { rangeAsked } from '../../../../src/http/pages/components/range.ts';

const NOW = Date.parse('2026-11-29T12:00:00Z');

function told(query: string, now = NOW): string {
  const { range } = rangeAsked(new URLSearchParams(query), now);
  if (typeof range === 'string') return range;
  return [range.from, range.to].map((at) => isoTime(at).slice(0, 16)).join(' ');
}

test('a range is days back from today, or from one day to the end of another', () => {
  for (const [query, expected] of [
    ['', '2026-10-31T00:00 2026-11-29T12:00'],
    ['days=7', '2026-11-23T00:00 2026-11-29T12:00'],
    ['days=8&from=&to=', '2026-10-31T00:00 2026-11-29T12:00'],
    ['from=2026-11-01&to=2026-11-02', '2026-11-01T00:00 2026-11-03T00:00'],
    ['days=7&from=2026-11-01', '2026-11-01T00:00 2026-11-29T12:00'],
    ['to=2026-11-10', '2026-10-12T00:00 2026-11-11T00:00'],
    ['from=2026-11-29&to=2027-01-01', '2026-11-29T00:00 2026-11-29T12:00'],
    ['from=2025-11-29&to=2026-11-29', '2025-11-29T00:00 2026-11-29T12:00'],
  ] as const) {
    assert.equal(told(query), expected, query);
  }
});

test('a range that begins at this very midnight has a moment', () => {
  const midnight = Date.parse('2026-11-29');
  const { range } = rangeAsked(new URLSearchParams('from=2026-11-29'), midnight);
  assert.deepEqual(range, { from: midnight, to: midnight + 1 });
});

test('what is wrong with a range is said', () => {
  for (const [query, expected] of [
    ['from=2026-11-03&to=2026-11-02', 'The first day is after the last one.'],
    ['from=2026-11-30', 'The first day has not come yet.'],
    ['from=2025-11-28&to=2026-11-29', 'That is more than 366 days. Choose a shorter range.'],
    ['from=0002-01-01', 'That is more than 366 days. Choose a shorter range.'],
    ['from=yesterday', '“yesterday” is no day. Write it as 2026-11-29.'],
    ['to=2026-02-30', '“2026-02-30” is no day. Write it as 2026-11-29.'],
  ] as const) {
    assert.equal(told(query), expected, query);
  }
});
