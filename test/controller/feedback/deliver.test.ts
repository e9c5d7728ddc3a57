import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createDeliver } from '../../../src/controller/feedback/deliver.ts';
import { createPace } from '../../../src/controller/feedback/pace.ts';
import { createReceivers } from '../../../src/controller/feedback/receivers.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { RetryableError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Sent } from '../../../src/callbacks/contract.ts';
import type { AnyCallback } from '../../../src/callbacks/index.ts';
import type { News } from '../../../src/model/news.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleRun, sampleStatus } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';

const LEASE_MS = 100;
const FOREVER = new AbortController().signal;

async function setUp(t: TestContext, callbacks: readonly AnyCallback[]): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-deliver-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  await store.runs.insert(sampleRun('r1'), []);
  const added = callbacks.map((callback) => ({ target: 'one', callback }));
  await store.outbox.add('r1', added, 0);
  return store;
}

/** What sends one entry at `now`; `sending` is what happens until GitHub answers. */
function deliverAt(
  store: Store,
  now: number,
  sending: () => Promise<Sent>,
  pace = createPace({ elapsed: () => now }),
) {
  return createDeliver({
    store,
    sender: { send: sending },
    render: async ({ callback }) => callback as never,
    budget: { take: async () => ({ sent() {}, failed() {} }) } as never,
    receivers: createReceivers(),
    pace,
    clock: { now: () => now, elapsed: () => now, sleep: async () => undefined },
    logger: silentLogger,
    news: createBroadcast<News>(),
  });
}

/** Claims the next entry at `now` and sends it. */
async function sendNext(store: Store, now: number, deploymentId?: number): Promise<void> {
  const [entry] = await store.outbox.claim(now, LEASE_MS, 1);
  assert.ok(entry);
  const answered = { status: 201 };
  const answer = deploymentId === undefined ? { answered } : { id: deploymentId, answered };
  await deliverAt(store, now, async () => answer)(entry, FOREVER);
}

test('a status that arrives after another process has told a newer one is overwritten by that again (G5)', async (t) => {
  const store = await setUp(t, [sampleStatus('pending')]);
  const [stalled] = await store.outbox.claim(1000, LEASE_MS, 1);
  assert.ok(stalled);
  const told: string[] = [];
  const stateOf = async () => (await store.outbox.ofRun('r1')).map(({ state }) => state);
  await deliverAt(store, 3000, async () => {
    await sendNext(store, 2000);
    await store.outbox.add('r1', [{ target: 'one', callback: sampleStatus('success') }], 2000);
    await sendNext(store, 2000);
    told.push(...(await stateOf()));
    return {};
  })(stalled, FOREVER);
  assert.deepEqual(told, ['sent', 'sent']);
  assert.deepEqual(await stateOf(), ['sent', 'pending']);
  await sendNext(store, 4000);
  assert.deepEqual(await stateOf(), ['sent', 'sent']);
  const [, newest] = await store.outbox.ofRun('r1');
  assert.deepEqual(newest?.answer, { status: 201 }, 'what came of it is kept');
});

test('a callback is not sent before the disk has what it tells (G6)', async (t) => {
  const store = await setUp(t, [sampleStatus('pending')]);
  const [entry] = await store.outbox.claim(1000, LEASE_MS, 1);
  assert.ok(entry);
  const [asked, disk] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const told: string[] = [];
  const flushed = async () => {
    asked.resolve();
    await disk.promise;
    told.push('on the disk');
  };
  const deliver = deliverAt({ ...store, flushed }, 1000, async () => {
    told.push('sent');
    // Without a barrier nothing else would end the wait.
    asked.resolve();
    return {};
  });
  const delivered = deliver(entry, FOREVER);
  await asked.promise;
  disk.resolve();
  await delivered;
  assert.deepEqual(told, ['on the disk', 'sent']);
});

test('what ends in the same turn is written down in one transaction, and one that fails takes no other with it', async (t) => {
  const store = await setUp(t, []);
  const callback = sampleStatus('success');
  const targets = ['one', 'two', 'three'];
  await store.outbox.add(
    'r1',
    targets.map((target) => ({ target, callback })),
    0,
  );
  const entries = await store.outbox.claim(1000, LEASE_MS, 9);
  assert.equal(entries.length, 3);
  const groups: number[] = [];
  const breaking: Store = {
    ...store,
    // The disk does not tell them apart.
    flushed: async () => {},
    each: async (group) => {
      groups.push(group.length);
      const [first, second, ...others] = group;
      assert.ok(first && second);
      const fail: typeof second = async (tables) => {
        await second(tables);
        throw new Error('no');
      };
      return await store.each([first, fail, ...others]);
    },
  };
  const deliver = deliverAt(breaking, 1000, async () => ({}));
  const results = await Promise.allSettled(entries.map((entry) => deliver(entry, FOREVER)));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(groups, [3]);
  const states = (await store.outbox.ofRun('r1')).map(({ state }) => state);
  assert.deepEqual(states, ['sent', 'pending', 'sent'], 'the one that failed is sent again');
});

test('the Deployment of a run that a newer one has taken the place of is not made, unless it may have been made before', async (t) => {
  const callback = {
    kind: 'deployment',
    repository: 'acme/storefront',
    runId: 'r1',
    sha: 'a'.repeat(40),
    environment: 'production',
  } as never;
  const store = await setUp(t, []);
  for (const id of ['ended', 'newer']) {
    await store.runs.insert(sampleRun(id, { state: 'succeeded' }), []);
  }
  const newer = await store.runs.get('newer');
  assert.ok(newer);
  await store.environments.record(newer, 0);
  const add = (run: string, target: string) => store.outbox.add(run, [{ target, callback }], 0);
  await add('ended', 'again');
  const [cut] = await store.outbox.claim(1000, LEASE_MS, 1);
  assert.ok(cut);
  await store.outbox.postpone(cut.id, 1000, 'interrupted', cut.attempts);
  await add('ended', 'first');
  await add('newer', 'own');
  const made: string[] = [];
  for (const entry of await store.outbox.claim(2000, LEASE_MS, 9)) {
    const deliver = deliverAt(store, 2000, async () => {
      made.push(entry.target);
      return { id: entry.id };
    });
    await deliver(entry, FOREVER);
  }
  assert.deepEqual(made, ['again', 'own']);
  const [, first] = await store.outbox.ofRun('ended');
  assert.partialDeepStrictEqual(first, { state: 'obsolete' });
});

test('a process that lost a Deployment to another one tells no number of it', async (t) => {
  const deployment = {
    kind: 'deployment',
    repository: 'acme/storefront',
    runId: 'r1',
    sha: 'a'.repeat(40),
    ref: 'main',
    environment: 'production',
  } as never;
  const store = await setUp(t, [deployment]);
  const [stalled] = await store.outbox.claim(1000, LEASE_MS, 1);
  assert.ok(stalled);
  await deliverAt(store, 3000, async () => {
    await sendNext(store, 2000, 22);
    return { id: 11 };
  })(stalled, FOREVER);
  assert.equal(await store.outbox.number('deployment:r1'), 22);
});

test('notifications to a receiver that is gone are given up a day after they were made, and do not pile up', async (t) => {
  const webhook = { kind: 'webhook', url: 'https://gone.example/' } as never;
  const store = await setUp(t, [webhook, webhook]);
  const day = 24 * 60 * 60_000;
  const refuse = async () => {
    throw new RetryableError('webhook-refused', 'answered 404');
  };
  let now = day - 1;
  const attempt = async () => {
    const [entry] = await store.outbox.claim(now, LEASE_MS, 1);
    assert.ok(entry);
    await deliverAt(store, now, refuse)(entry, FOREVER);
    now += 11 * 60_000;
    return (await store.outbox.ofRun('r1')).map(({ state }) => state);
  };
  // Its first try is within the day; however late it is, it is tried five times.
  for (let tries = 1; tries < 5; tries += 1)
    assert.deepEqual(await attempt(), ['pending', 'pending']);
  assert.deepEqual(await attempt(), ['dead', 'pending']);
  for (let tries = 1; tries < 5; tries += 1) assert.deepEqual(await attempt(), ['dead', 'pending']);
  assert.deepEqual(await attempt(), ['dead', 'dead']);
});

test('a state is tried for about a day, whenever that begins', async (t) => {
  const store = await setUp(t, [sampleStatus('success')]);
  let now = 3 * 24 * 60 * 60_000;
  const begun = now;
  for (;;) {
    const [entry] = await store.outbox.claim(now, LEASE_MS, 1);
    if (entry === undefined) break;
    const away = () => Promise.reject(new RetryableError('github-unavailable', 'answered 502'));
    await deliverAt(store, now, away)(entry, FOREVER);
    now = (await store.outbox.get(entry.id))?.nextAttemptAt ?? now;
  }
  const hours = (now - begun) / (60 * 60_000);
  assert.ok(hours > 18 && hours < 36, `${hours} hours`);
});

test('a channel gets one message a second and a mail server one in two, each in its turn, and other places and GitHub do not wait', async (t) => {
  const store = await setUp(t, []);
  const send = (name: string, callback: object, now = 0) => {
    const added = { target: name, callback: callback as AnyCallback };
    return store.outbox.add('r1', [added], now);
  };
  const slack = (url: string) => ({ kind: 'slack', url });
  for (const name of ['a', 'b', 'c', 'd']) await send(name, slack('https://chat.example/1'));
  const inChannel = { url: 'https://slack.com/api/', channel: 'C0123456789', notify: 0 };
  await send('e', { kind: 'slack-app', run: { id: 'r1' }, ...inChannel });
  await send('h', { kind: 'slack-thread', run: { id: 'r2' }, ...inChannel });
  await send('f', sampleStatus('success'));
  const mail = { kind: 'email', url: 'smtp://mail.example', batchMs: 0 };
  for (const name of ['m', 'n']) await send(name, mail);
  let now = 0;
  const pace = createPace({ elapsed: () => now });
  const sent: string[] = [];
  /** What is sent by one look at what is due. */
  async function look(at: number): Promise<string[]> {
    now = at;
    sent.length = 0;
    for (const entry of await store.outbox.claim(now, LEASE_MS, 9)) {
      const sending = async () => {
        sent.push(entry.target);
        return {};
      };
      await deliverAt(store, now, sending, pace)(entry, FOREVER);
    }
    return [...sent].toSorted();
  }
  assert.deepEqual(await look(0), ['a', 'e', 'f', 'm']);
  assert.deepEqual(await look(999), []);
  assert.deepEqual(await look(1000), ['b', 'h']);
  // What comes later has the turn after those that wait.
  await send('g', slack('https://chat.example/1'), 1500);
  assert.deepEqual(await look(1500), []);
  assert.deepEqual(await look(2000), ['c', 'n']);
  assert.deepEqual(await look(3000), ['d']);
  assert.deepEqual(await look(4000), ['g']);
  const [first] = await store.outbox.ofRun('r1');
  assert.equal(first?.attempts, 1, 'waiting is no try');
});

test('of turns only so many are kept, and none that is not taken', () => {
  let now = 0;
  const pace = createPace({ elapsed: () => now });
  for (let turn = 0; turn <= 1000; turn += 1) pace.wait('one', String(turn));
  assert.equal(pace.wait('one', 'more'), 1000);
  assert.equal(pace.wait('other', 'more'), 0);
  now = 1_100_000;
  const waits = ['more', 'second', 'third'].map((target) => pace.wait('one', target));
  assert.deepEqual(waits, [0, 1000, 2000]);
});
