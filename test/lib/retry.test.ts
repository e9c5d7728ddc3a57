import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../src/lib/errors.ts';
import { retry } from '../../src/lib/retry.ts';

/** A clock whose time passes only while a test sleeps. */
function ownTime() {
  let now = 0;
  return {
    now: () => now,
    elapsed: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
}

test('what may work later is tried again until it does', async () => {
  let attempts = 0;
  const answer = await retry({ clock: ownTime(), timeoutMs: 60_000 }, async () => {
    attempts += 1;
    if (attempts < 5) throw new RetryableError('store-away', 'not yet');
    return 'done';
  });
  assert.equal(answer, 'done');
});

test('after the time the last error is thrown', async () => {
  const clock = ownTime();
  await assert.rejects(
    retry({ clock, timeoutMs: 5000 }, async () => {
      throw new RetryableError('store-away', 'never');
    }),
    { code: 'store-away' },
  );
  assert.ok(clock.now() > 3000 && clock.now() <= 5000);
});

test('what cannot work later is not tried again', async () => {
  let attempts = 0;
  await assert.rejects(
    retry({ clock: ownTime(), timeoutMs: 5000 }, async () => {
      attempts += 1;
      throw new Error('wrong');
    }),
    /wrong/,
  );
  assert.equal(attempts, 1);
});
