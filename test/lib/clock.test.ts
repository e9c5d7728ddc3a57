import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { isoTime, systemClock } from '../../src/lib/clock.ts';

/** Longer than any test, and short enough that one that is broken ends. */
const FOR_EVER = 60_000;

test('a sleep ends without an error when it is aborted, before or meanwhile', async () => {
  await systemClock.sleep(FOR_EVER, AbortSignal.abort());
  const controller = new AbortController();
  const sleeping = systemClock.sleep(FOR_EVER, controller.signal);
  controller.abort(new Error('any reason'));
  await sleeping;
});

test('a sleep that is over leaves nothing on its signal', async () => {
  const { signal } = new AbortController();
  await systemClock.sleep(1, signal);
  await systemClock.sleep(0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('the clock tells milliseconds since the epoch', () => {
  const before = Date.now();
  const now = systemClock.now();
  assert.ok(now >= before && now <= Date.now());
});

test('what has elapsed is measured whatever the clock is set to', (t) => {
  const before = systemClock.elapsed();
  t.mock.timers.enable({ apis: ['Date'], now: 0 });
  const elapsed = systemClock.elapsed() - before;
  assert.ok(elapsed >= 0 && elapsed < FOR_EVER, `${elapsed} ms`);
});

test('times are written in ISO 8601, UTC, with milliseconds', () => {
  assert.equal(isoTime(0), '1970-01-01T00:00:00.000Z');
  assert.equal(isoTime(1_700_000_000_123), '2023-11-14T22:13:20.123Z');
});
