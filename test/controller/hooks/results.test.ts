import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWaitForResult } from '../../../src/controller/hooks/results.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { News } from '../../../src/model/news.ts';

test('200 senders wait for results at a time, and more are answered at once until one has ended', async () => {
  let asleep = 0;
  const wait = createWaitForResult({
    store: { inbox: { get: async () => undefined } } as never,
    news: createBroadcast<News>(),
    clock: {
      elapsed: () => 0,
      async sleep(_ms, signal) {
        asleep += 1;
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
      },
    },
  });
  const all = new AbortController();
  const one = new AbortController();
  const first = wait('d0', 1000, one.signal);
  const others = Array.from({ length: 199 }, (_, index) => wait(`d${index}`, 1000, all.signal));
  const more = wait('more', 1000, all.signal);
  await new Promise(setImmediate);
  assert.equal(asleep, 200);
  assert.deepEqual(await more, { isOver: false, runs: [] });
  one.abort();
  await first;
  const next = wait('next', 1000, all.signal);
  await new Promise(setImmediate);
  assert.equal(asleep, 201);
  all.abort();
  await Promise.all([...others, next]);
});
