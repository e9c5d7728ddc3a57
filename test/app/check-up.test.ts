import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCheckUp } from '../../src/app/check-up.ts';
import type { Check } from '../../src/lib/check.ts';

const ok = (subject: string): Check => ({ subject, state: 'ok', detail: '' });
const never = (_ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));

test('one look is under way at a time, and what the last one found stays', async () => {
  let looks = 0;
  const checkUp = createCheckUp({
    async *examine() {
      looks += 1;
      yield ok(`look ${looks}`);
    },
    clock: { now: () => 5, sleep: never },
  });
  assert.equal(checkUp.last(), undefined);
  const [one, other] = await Promise.all([checkUp.look(), checkUp.look()]);
  assert.equal(one, other);
  assert.deepEqual(checkUp.last(), { at: 5, isWhole: true, checks: [ok('look 1')] });
  await checkUp.look();
  assert.equal(looks, 2);
});

test('a look that takes too long ends with what it has found, and is told to stop', async () => {
  let isStopped = false;
  const checkUp = createCheckUp({
    async *examine(signal) {
      yield ok('git');
      await never(0, signal);
      isStopped = true;
      yield ok('too late');
    },
    clock: { now: () => 5, sleep: () => new Promise((resolve) => setImmediate(resolve)) },
  });
  assert.deepEqual(await checkUp.look(), { at: 5, isWhole: false, checks: [ok('git')] });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isStopped, true);
  assert.equal(checkUp.last()?.checks.length, 1);
});

test('a check that breaks is told of as one that failed', async () => {
  const checkUp = createCheckUp({
    // oxlint-disable-next-line require-yield -- it breaks before
    async *examine() {
      throw new Error('no such file');
    },
    clock: { now: () => 5, sleep: never },
  });
  const { checks } = await checkUp.look();
  assert.deepEqual(checks, [{ subject: 'checks', state: 'fail', detail: 'no such file' }]);
});
