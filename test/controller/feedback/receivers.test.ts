import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createFeedback } from '../../../src/controller/feedback/feedback.ts';
import { createReceivers } from '../../../src/controller/feedback/receivers.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { News } from '../../../src/model/news.ts';
import { sampleRun, sampleStatus } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';
import { until } from '../../support/until.ts';

/** The loop over a real store. Webhooks at `silent` hosts are never answered, everything else at once. */
async function begin(t: TestContext, webhooks: readonly string[], statuses = 0) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-receivers-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  await store.runs.insert(sampleRun('r1'), []);
  const urls = new Map(webhooks.map((url, index) => [`hook ${index}`, url]));
  const hooks = [...urls.keys()].map((target) => ({
    target,
    callback: { kind: 'webhook' } as never,
  }));
  const states = Array.from({ length: statuses }, (_, index) => ({
    target: `status ${index}`,
    callback: sampleStatus('success'),
    account: 'acme',
  }));
  await store.outbox.add('r1', [...hooks, ...states], 0);

  const sent: string[] = [];
  const open = new Map<string, number>();
  let most = 0;
  const feedback = createFeedback({
    store,
    leaseMs: 60_000,
    render: async ({ callback, target }) => ({ ...callback, url: urls.get(target) }) as never,
    sender: {
      async send(message, { signal }) {
        if (message.url === undefined) sent.push('status');
        else if (message.url.includes('silent')) {
          const { host } = new URL(message.url);
          open.set(host, (open.get(host) ?? 0) + 1);
          most = Math.max(most, open.get(host) ?? 0);
          // A stop may come while the flush before it is waited for.
          signal.throwIfAborted();
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
          });
        } else sent.push(message.url);
        return {};
      },
    },
    budget: {
      take: async () => ({ sent() {}, failed() {} }),
      held: () => [],
      refresh: async () => undefined,
    } as never,
    clock: systemClock,
    logger: silentLogger,
    news: createBroadcast<News>(),
  });
  const stop = new AbortController();
  const running = feedback.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { store, sent, most: () => most };
}

const silent = (count: number) =>
  Array.from({ length: count }, (_, index) => `https://silent${index}.example/`);

test('receivers that do not answer delay no status and no other receiver', async (t) => {
  const { sent } = await begin(t, [...silent(30), 'https://good.example/'], 20);
  await until('all others have heard', () => sent.length === 21);
  assert.ok(sent.includes('https://good.example/'));
});

test('one host that does not answer takes a few places, however many webhooks go there', async (t) => {
  const one = Array.from({ length: 200 }, (_, index) => `https://silent.example/${index}`);
  const { sent, most } = await begin(t, [...one, 'https://good.example/']);
  await until('the other has heard', () => sent.length === 1);
  assert.equal(most(), 4);
});

test('what had to wait for room at its host is sent when there is some', async (t) => {
  const many = Array.from({ length: 100 }, (_, index) => `https://good.example/${index}`);
  const { sent, store } = await begin(t, many);
  await until('all have arrived', async () => (await store.outbox.countOpen()).pending === 0);
  assert.deepEqual(sent.toSorted(), many.toSorted());
});

test('of targets that wait only so many are let go as there is room, and more than a thousand are not remembered', () => {
  const receivers = createReceivers();
  const enter = (target: number) => receivers.enter('h', String(target));
  const grants = [0, 1, 2, 3].map(enter);
  for (let target = 4; target < 1100; target += 1) assert.equal(enter(target), undefined);
  assert.equal(receivers.waiting().length, 1000);
  assert.equal(receivers.isWaiting('1003'), true);
  assert.equal(receivers.isWaiting('1004'), false);
  grants[0]?.sent();
  grants[1]?.failed(new Error('no'));
  assert.equal(receivers.waiting().length, 998);
  assert.deepEqual(
    ['4', '5', '6'].map((target) => receivers.isWaiting(target)),
    [false, false, true],
  );
});
