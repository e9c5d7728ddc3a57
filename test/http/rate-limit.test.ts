import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRateLimit } from '../../src/http/rate-limit.ts';

test('20,000 keys are remembered, and those that were not heard of for longest are forgotten first', () => {
  const limit = createRateLimit({ elapsed: () => 0 });
  const rate = { count: 1, perMs: 60_000 };
  const isHeld = (key: string) => limit.wait(key, rate) > 0;
  for (let count = 0; count < 20_000; count += 1) limit.take(`key ${count}`, rate);
  assert.ok(isHeld('key 0') && isHeld('key 1'));
  limit.take('key 0', rate);
  limit.take('one more', rate);
  assert.deepEqual(['key 0', 'key 1', 'key 2', 'one more'].map(isHeld), [true, false, true, true]);
});
