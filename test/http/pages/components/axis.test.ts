import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bucketText,
  countTicks,
  dated,
  durationTicks,
  rangeText,
  shareTicks,
} from '../../../../src/http/pages/components/axis.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const texts = (ticks: readonly { text: string }[]) => ticks.map(({ text }) => text).join(', ');

test('an axis of durations has round steps in one unit, and reaches the greatest value', () => {
  for (const [most, expected] of [
    [0, '0, 1 s'],
    [900, '0, 1 s'],
    [18 * SECOND, '0, 5 s, 10 s, 15 s, 20 s'],
    [60 * SECOND, '0, 15 s, 30 s, 45 s, 60 s'],
    [61 * SECOND, '0, 30 s, 60 s, 90 s'],
    [37 * MINUTE, '0, 10 min, 20 min, 30 min, 40 min'],
    [17 * HOUR, '0, 6 h, 12 h, 18 h'],
    [3 * DAY, '0, 1 d, 2 d, 3 d'],
    [20_786 * DAY, '0, 10000 d, 20000 d, 30000 d'],
  ] as const) {
    const ticks = durationTicks(most);
    assert.equal(texts(ticks), expected);
    assert.ok((ticks.at(-1)?.value ?? 0) >= most);
  }
});

test('an axis of counts has whole numbers, one of shares percent', () => {
  assert.equal(texts(countTicks(0)), '0, 1');
  assert.equal(texts(countTicks(3)), '0, 1, 2, 3');
  assert.equal(texts(countTicks(37)), '0, 10, 20, 30, 40');
  assert.equal(texts(countTicks(5000)), '0, 2000, 4000, 6000');
  assert.equal(texts(shareTicks(0.2)), '0, 5 %, 10 %, 15 %, 20 %');
  assert.equal(texts(shareTicks(1)), '0, 25 %, 50 %, 75 %, 100 %');
});

test('few buckets have a date each, of many every so many', () => {
  assert.deepEqual(dated(1, 6), [0]);
  assert.deepEqual(dated(6, 6), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(dated(7, 6), [0, 2, 4, 6]);
  assert.deepEqual(dated(62, 6), [0, 11, 22, 33, 44, 55]);
});

test('a range is told by its first and last day, in UTC', () => {
  const from = Date.parse('2025-12-29');
  assert.equal(rangeText({ from, to: from + 7 * DAY }), '29 Dec 2025 – 4 Jan 2026');
  assert.equal(rangeText({ from, to: from + HOUR }), '29 Dec 2025');
  assert.equal(bucketText({ from, to: from + 7 * DAY }, 'week'), '29 Dec – 4 Jan');
  assert.equal(bucketText({ from, to: from + HOUR }, 'day'), '29 Dec');
});
