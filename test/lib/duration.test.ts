import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from '../../src/lib/duration.ts';

test('durations are read as people write them', () => {
  const durations: [string, number][] = [
    ['250ms', 250],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1m500ms', 60_500],
    ['0s', 0],
  ];
  for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text);
});

test('what is no duration is not guessed at', () => {
  const wrong = ['', '15', 'm', '1.5h', '-1s', ' 1s', '1s ', '1 s', '1S', '1w', '1s\n', '1h30'];
  for (const text of [...wrong, `${'9'.repeat(10)}s`]) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  }
});

test('durations are shown as people read them, each in the unit that tells most', () => {
  const durations: [number, string][] = [
    [0, '0ms'],
    [850, '850ms'],
    [999.9, '999ms'],
    [1000, '1.0s'],
    [12_345, '12.3s'],
    [59_999, '59.9s'],
    [60_000, '1m 00s'],
    [245_000, '4m 05s'],
    [3_599_999, '59m 59s'],
    [3_600_000, '1h 00m'],
    [7_800_000, '2h 10m'],
    [180_000_000, '50h 00m'],
  ];
  for (const [ms, text] of durations) assert.equal(formatDuration(ms), text);
});
