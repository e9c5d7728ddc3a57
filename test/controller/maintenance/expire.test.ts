import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import SQLite from 'better-sqlite3';
import { createExpire, type RetentionLimits } from '../../../src/controller/maintenance/expire.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { openSqlite } from '../../../src/store/engine.ts';
import { createStore, type Store } from '../../../src/store/index.ts';
import type { Retention } from '../../../src/store/retention.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../../store/samples.ts';
import { audited } from '../../support/audited.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const OUTCOME = { summary: '', specs: [] };
const LIMITS: RetentionLimits = { ageMs: 30 * DAY, deliveries: 1000, runs: 1000 };
const PUSH = {
  repository: 'acme/storefront',
  ref: 'refs/heads/main',
  before: 'zero',
  after: 'a',
  found: false,
  toldBy: undefined,
};
const FOREVER = new AbortController().signal;

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-expire-'));
  const file = join(directory, 'mainsheet.db');
  const store = await createStore(openSqlite(file));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const logger = silentLogger;
  const expire = (
    now: number,
    more: { limits?: Partial<RetentionLimits>; retention?: Retention; signal?: AbortSignal } = {},
  ) =>
    createExpire({
      retention: more.retention ?? store.retention,
      limits: { ...LIMITS, ...more.limits },
      clock: clockAt(now),
      logger,
    })(more.signal ?? FOREVER);
  return { store, expire, file };
}

/** Rests take no time here, but the event loop gets its turn as with the real ones. */
function clockAt(now: number): Clock {
  return {
    now: () => now,
    elapsed: () => now,
    sleep: () => new Promise((resolve) => void setImmediate(resolve)),
  };
}

async function deliver(store: Store, count: number, payload = '{}'): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `d${index}`);
  await Promise.all(
    ids.map((id) => store.accept(sampleDelivery(id, { receivedAt: DAY, payload }))),
  );
  await store.atomically(async ({ inbox }) => {
    for (const id of ids) await inbox.close(id, 'processed', OUTCOME, DAY);
  });
}

/** At the end of the first day: a callback that is given up, a snapshot without runs, a push, and something an operator does. */
async function remember(store: Store): Promise<void> {
  await store.audit.record({ at: DAY, actor: 'admin', action: 'x', subject: 'x', detail: '' });
  await store.snapshots.keep({ digest: 'x', name: 'x', file: 'x', text: 'x' }, DAY);
  await store.pushes.record({ ...PUSH, delivery: 'd', seenAt: DAY });
  await store.runs.insert(sampleRun('r', { state: 'failed', finishedAt: DAY }), []);
  await store.outbox.add('r', [{ target: 't', callback: sampleStatus('failure') }], DAY);
  const [entry] = await store.outbox.ofRun('r');
  assert.ok(entry && (await store.outbox.finish(entry.id, 'dead', DAY)));
}

/** What of it is still there. */
async function remembered(store: Store): Promise<string[]> {
  const { repository, ref } = PUSH;
  const found = {
    audit: (await audited(store, 1)).length > 0,
    dead: (await store.outbox.countOpen()).dead > 0,
    pushes: (await store.pushes.history(repository, ref)).pushes.length > 0,
    snapshot: (await store.snapshots.get('x')) !== undefined,
  };
  return Object.entries(found).flatMap(([name, isThere]) => (isThere ? [name] : []));
}

test('a delivery is known for as long as GitHub could send it again, however short retention is (G2)', async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 1);
  await expire(3 * DAY, { limits: { ageMs: DAY } });
  assert.equal((await store.inbox.get('d0'))?.payload, '');
  await expire(35 * DAY, { limits: { ageMs: DAY } });
  assert.equal(await store.accept(sampleDelivery('d0')), false);
  await expire(37 * DAY, { limits: { ageMs: DAY } });
  assert.equal(await store.inbox.get('d0'), undefined);
});

test('with no age everything stays but what is over the number, whose ids go in the end', async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 3);
  await expire(10_000 * DAY, { limits: { ageMs: 0, deliveries: 2 } });
  assert.equal(await store.inbox.get('d0'), undefined);
  for (const id of ['d1', 'd2']) assert.equal((await store.inbox.get(id))?.payload, '{}');
});

test('runs that have just ended stay for two hours although they are too many', async (t) => {
  const { store, expire } = await setUp(t);
  for (const id of ['r0', 'r1']) {
    await store.runs.insert(sampleRun(id, { state: 'failed', finishedAt: DAY }), []);
  }
  await expire(DAY + 2 * HOUR, { limits: { runs: 1 } });
  assert.ok(await store.runs.get('r0'));
  await expire(DAY + 2 * HOUR + 1, { limits: { runs: 1 } });
  assert.equal(await store.runs.get('r0'), undefined);
  assert.ok(await store.runs.get('r1'));
});

test('callbacks given up, snapshots, pushes and what operators did each stay for their own time', async (t) => {
  const { store, expire } = await setUp(t);
  await remember(store);
  const left: [number, string[]][] = [];
  for (const days of [2, 35, 90, 365]) {
    for (const more of [0, 1]) {
      await expire(DAY + days * DAY + more, { limits: { ageMs: DAY } });
      left.push([days, await remembered(store)]);
    }
  }
  assert.deepEqual(left, [
    [2, ['audit', 'dead', 'pushes', 'snapshot']],
    [2, ['audit', 'dead', 'pushes']],
    [35, ['audit', 'dead', 'pushes']],
    [35, ['audit', 'dead']],
    [90, ['audit', 'dead']],
    [90, ['audit']],
    [365, ['audit']],
    [365, []],
  ]);
});

test('with no age callbacks given up and what operators did go after their own time, with a long one after it', async (t) => {
  const { store, expire } = await setUp(t);
  await remember(store);
  const left: [number, string[]][] = [];
  for (const days of [90, 365]) {
    for (const more of [0, 1]) {
      await expire(DAY + days * DAY + more, { limits: { ageMs: 0 } });
      left.push([days, (await remembered(store)).filter((name) => name !== 'pushes')]);
    }
  }
  assert.deepEqual(left, [
    [90, ['audit', 'dead']],
    [90, ['audit']],
    [365, ['audit']],
    [365, []],
  ]);
  const other = await setUp(t);
  await remember(other.store);
  await other.expire(DAY + 500 * DAY, { limits: { ageMs: 500 * DAY } });
  assert.deepEqual(await remembered(other.store), ['audit', 'dead', 'snapshot']);
});

test('with no age a run that has too many after it goes when its dead callback has gone', async (t) => {
  const { store, expire } = await setUp(t);
  await remember(store);
  await store.runs.insert(sampleRun('later', { state: 'failed', finishedAt: DAY }), []);
  await expire(DAY + 90 * DAY, { limits: { ageMs: 0, runs: 1 } });
  assert.ok(await store.runs.get('r'));
  await expire(DAY + 90 * DAY + 1, { limits: { ageMs: 0, runs: 1 } });
  assert.equal(await store.runs.get('r'), undefined);
  assert.ok(await store.runs.get('later'));
});

test('so many deliveries and so many runs stay, each by its own number', async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 4);
  for (const id of ['r0', 'r1', 'r2', 'r3']) {
    await store.runs.insert(sampleRun(id, { state: 'failed', finishedAt: DAY }), []);
  }
  await expire(2 * DAY, { limits: { deliveries: 1, runs: 3 } });
  const runs = (await store.runs.list({ limit: 10, before: undefined }, {})).items;
  assert.deepEqual(
    runs.map(({ id }) => id),
    ['r3', 'r2', 'r1'],
  );
  for (const [id, payload] of Object.entries({ d2: '', d3: '{}' })) {
    assert.equal((await store.inbox.get(id))?.payload, payload);
  }
});

test("a run and its delivery's payload go in one turn", async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 1);
  await store.runs.insert(
    sampleRun('r0', { delivery: 'd0', state: 'failed', finishedAt: DAY }),
    [],
  );
  await expire(30 * DAY);
  assert.ok(await store.runs.get('r0'));
  await expire(32 * DAY);
  assert.equal(await store.runs.get('r0'), undefined);
  assert.equal((await store.inbox.get('d0'))?.payload, '');
});

test('while thousands of rows are removed deliveries are taken in between two small batches', async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 4000);
  const batches: number[] = [];
  const accepted: Promise<unknown>[] = [];
  const retention: Retention = {
    ...store.retention,
    async payloads(age, now, after, limit) {
      batches.push(limit);
      // Asked for at the start of each batch, and there before the next one begins.
      assert.equal(await store.inbox.countPending(), batches.length - 1);
      accepted.push(store.accept(sampleDelivery(`new${batches.length}`, { receivedAt: 50 * DAY })));
      return await store.retention.payloads(age, now, after, limit);
    },
  };
  await expire(50 * DAY, { retention });
  assert.ok(batches.length >= 10, `${batches.length} batches`);
  assert.ok(Math.max(...batches) <= 400);
  assert.equal(await store.inbox.get('d3999'), undefined);
  assert.equal(await store.inbox.countPending(), batches.length);
  await Promise.all(accepted);
});

test('a turn that is asked to stop ends after the batch under way', async (t) => {
  const { store, expire } = await setUp(t);
  await deliver(store, 1000);
  const stopping = new AbortController();
  const retention: Retention = {
    ...store.retention,
    payloads(...batch) {
      stopping.abort();
      return store.retention.payloads(...batch);
    },
  };
  await assert.rejects(expire(50 * DAY, { retention, signal: stopping.signal }));
  assert.equal((await store.inbox.get('d0'))?.payload, '');
  assert.equal((await store.inbox.get('d999'))?.payload, '{}');
});

test('what is removed is given back to the disk', async (t) => {
  const { store, expire, file } = await setUp(t);
  await deliver(store, 2000, JSON.stringify({ filler: 'x'.repeat(16 * 1024) }));
  const full = pagesOf(file);
  await expire(50 * DAY);
  const after = pagesOf(file);
  assert.ok(after < full / 3, `${full} pages became ${after}`);
});

function pagesOf(file: string): number {
  const database = new SQLite(file, { readonly: true });
  try {
    return Number(database.pragma('page_count', { simple: true }));
  } finally {
    database.close();
  }
}
