import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffDelay } from '../../src/lib/backoff.ts';

const backoff = { baseMs: 1000, maxMs: 60_000 };
const longest = () => 1;
const shortest = () => 0;

test('a delay doubles with every attempt up to its bound', () => {
  const delays = [1, 2, 3, 6, 7, 8].map((attempt) => backoffDelay(attempt, backoff, longest));
  assert.deepEqual(delays, [1000, 2000, 4000, 32_000, 60_000, 60_000]);
});

test('jitter takes at most half of a delay away', () => {
  assert.equal(backoffDelay(3, backoff, shortest), 2000);
  assert.equal(backoffDelay(99, backoff, shortest), 30_000);
  for (let index = 0; index < 100; index += 1) {
    const delay = backoffDelay(2, backoff);
    assert.ok(delay >= 1000 && delay <= 2000);
  }
});

test('after any number of attempts the delay is a number within its bounds', () => {
  for (const attempt of [100, 10_000, Number.MAX_SAFE_INTEGER]) {
    assert.equal(backoffDelay(attempt, backoff, longest), 60_000);
  }
});
