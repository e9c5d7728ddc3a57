import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDeadline } from '../../src/lib/deadline.ts';

/** Time that passes by hand, and how many sleep. */
function makeTime() {
  let now = 0;
  const sleepers = new Set<{ until: number; wake: () => void }>();
  return {
    clock: {
      elapsed: () => now,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
          const one = { until: now + ms, wake: done };
          sleepers.add(one);
          signal?.addEventListener('abort', done);
          function done() {
            sleepers.delete(one);
            resolve();
          }
        }),
    },
    async pass(ms: number) {
      now += ms;
      for (const { until, wake } of sleepers) if (until <= now) wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
    sleeping: () => sleepers.size,
  };
}

const never = () => new Promise<never>(() => {});

test('work that takes too long is given up for, each piece by its own time', async () => {
  const { clock, pass } = makeTime();
  const within = createDeadline(clock, 1000);
  const ended: string[] = [];
  const follow = (name: string, work: Promise<unknown>) =>
    within(work, name).catch((error: Error) => ended.push(error.message));
  void follow('first', never());
  await pass(600);
  void follow('second', never());
  await pass(400);
  assert.deepEqual(ended, ['first within 1 seconds']);
  await pass(600);
  assert.deepEqual(ended, ['first within 1 seconds', 'second within 1 seconds']);
  void follow('third', never());
  await pass(1000);
  assert.equal(ended.at(-1), 'third within 1 seconds');
});

test('what is done in time has its result, and nothing is waited for any more', async () => {
  const { clock, sleeping } = makeTime();
  const within = createDeadline(clock, 1000);
  const slow = Promise.withResolvers<string>();
  const answers = [within(Promise.resolve('a'), 'late'), within(slow.promise, 'late')];
  assert.equal(sleeping(), 1);
  slow.resolve('b');
  assert.deepEqual(await Promise.all(answers), ['a', 'b']);
  assert.equal(sleeping(), 0);
  await assert.rejects(within(Promise.reject(new Error('broken')), 'late'), /^Error: broken$/);
});
