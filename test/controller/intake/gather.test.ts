import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createMakeRuns } from '../../../src/controller/intake/make-runs.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { BatchSpec, DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const WINDOW = 60_000;
const SHA = { d1: '1'.repeat(40), d2: '2'.repeat(40), d3: '3'.repeat(40), d4: '4'.repeat(40) };
type Id = keyof typeof SHA;
const BATCH: BatchSpec = { windowMs: WINDOW, most: 3, key: undefined };

interface Taking {
  key?: string;
  late?: string;
  cause?: 'event' | 'replay';
  /** Of the spec by now. */
  lane?: string;
  /** Of its payload; default: as they are. */
  bytes?: number;
}

/** Four deliveries have come; `take` gives one to the spec, `pass` lets time pass and looks at what waits. */
async function createFixture(
  t: TestContext,
  open: (t: TestContext) => Promise<Store>,
  more: Partial<DeploymentSpec> = {},
) {
  const store = await open(t);
  for (const id of Object.keys(SHA)) await store.accept(sampleDelivery(id));
  const concurrency = { lane: 'main', queue: 'all', cancelRunning: false } as const;
  const loaded = sampleLoaded({ concurrency, batch: BATCH, ...more });
  let now = 1_000_000;
  const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
  const transitions = createTransitions({
    store,
    specOf: async () => loaded.spec,
    clock,
    news: createBroadcast<News>(),
    publicUrl: undefined,
    feedback: 'token',
  });
  const makeRuns = createMakeRuns({
    transitions,
    clock,
    rollBack: () => assert.fail('nothing is rolled back here'),
  });
  const runs = async () =>
    (await store.runs.list({ limit: 9, before: undefined }, {})).items.toReversed();
  return {
    store,
    transitions,
    runs,
    async take(id: Id, how: Taking = {}) {
      const event = { kind: 'push', repository: 'acme/storefront', ref: 'refs/heads/main' };
      const { lane = concurrency.lane } = how;
      const spec = { ...loaded.spec, concurrency: { ...concurrency, lane } };
      const judged = {
        event: { ...event, branch: 'main', sha: SHA[id] },
        verdicts: [
          {
            loaded: { ...loaded, spec },
            verdict: { matched: true, reasons: [] },
            batchKey: how.key ?? '',
          },
        ],
      } as never;
      const overtaken = new Map(how.late === undefined ? [] : [[loaded.spec.name, how.late]]);
      const origin = { delivery: id, cause: how.cause ?? 'event', overtaken } as never;
      return await store.atomically(async (tables) => {
        const { bytes } = how;
        const sized = { ...tables.batches, sizeOf: async () => bytes ?? 0 };
        const batches = bytes === undefined ? tables.batches : sized;
        return await makeRuns({ ...tables, batches }, origin, judged);
      });
    },
    async pass(ms: number) {
      now += ms;
      for (const id of await store.gates.due(now, 10)) {
        const run = await store.runs.get(id);
        assert.ok(run);
        await store.atomically((tables) => transitions.hold(tables, run));
      }
    },
    events: async (run: string) => (await store.batches.view(run))?.deliveries,
  };
}

for (const [engine, open] of bothEngines()) {
  describe(`batches on ${engine}`, () => {
    test('events of a window have one run, with the newest revision, which goes on at its end', async (t) => {
      const { take, pass, runs, events } = await createFixture(t, open);
      await take('d1');
      const made = await take('d2');
      const [run, ...others] = await runs();
      assert.deepEqual(others, []);
      assert.deepEqual([run?.state, run?.sha, run?.delivery], ['blocked', SHA.d2, 'd2']);
      assert.match(run?.reason ?? '', /^Gathering events until .*: 2 of at most 3$/);
      assert.equal(made.batched.get('storefront'), `event 2 of the batch that run ${run?.id} has`);
      await pass(WINDOW - 1);
      assert.equal((await runs())[0]?.state, 'blocked');
      await pass(1);
      assert.equal((await runs())[0]?.state, 'queued');
      assert.deepEqual(await events(run?.id ?? ''), ['d1', 'd2']);
    });

    test('a full batch goes on at once, and the next event begins another', async (t) => {
      const { take, runs, events } = await createFixture(t, open);
      for (const id of ['d1', 'd2', 'd3', 'd4'] as const) await take(id);
      const made = await runs();
      assert.deepEqual(
        made.map(({ state, sha }) => [state, sha]),
        [
          ['queued', SHA.d3],
          ['blocked', SHA.d4],
        ],
      );
      assert.deepEqual(await events(made[0]?.id ?? ''), ['d1', 'd2', 'd3']);
    });

    test('payloads of a batch have at most 32 MiB together: what comes on top begins another', async (t) => {
      const { take, runs, events } = await createFixture(t, open);
      const half = 16 * 1024 * 1024;
      await take('d1', { bytes: half });
      await take('d2', { bytes: half });
      await take('d3', { bytes: 1 });
      const made = await runs();
      assert.deepEqual(
        made.map(({ state }) => state),
        ['queued', 'blocked'],
      );
      assert.deepEqual(await events(made[0]?.id ?? ''), ['d1', 'd2']);
      assert.deepEqual(await events(made[1]?.id ?? ''), ['d3']);
    });

    test('what comes after the end begins another, also when nothing has looked at it since', async (t) => {
      const { take, pass, runs, store } = await createFixture(t, open);
      await take('d1');
      const [run] = await runs();
      await store.gates.lookAt(run?.id ?? '', undefined);
      await pass(WINDOW);
      await take('d2');
      const states = (await runs()).map(({ state, sha }) => [state, sha]);
      assert.deepEqual(states, [
        ['queued', SHA.d1],
        ['blocked', SHA.d2],
      ]);
    });

    test('a delivery counts once, whatever has become of its batch (G2)', async (t) => {
      const { take, pass, runs, events } = await createFixture(t, open);
      await take('d1');
      assert.deepEqual((await take('d1')).changed, []);
      await take('d2');
      await pass(WINDOW);
      assert.deepEqual((await take('d1')).changed, []);
      const [run, ...others] = await runs();
      assert.deepEqual(others, []);
      assert.deepEqual(await events(run?.id ?? ''), ['d1', 'd2']);
    });

    test('an older event is gathered, and takes no batch back to its revision (G4)', async (t) => {
      const { take, runs, events } = await createFixture(t, open, {
        batch: { ...BATCH, most: 9 },
      });
      await take('d3');
      await take('d1');
      await take('d4', { late: 'Superseded: 4444444 is contained in 3333333' });
      const [run] = await runs();
      assert.equal(run?.sha, SHA.d3);
      assert.deepEqual(await events(run?.id ?? ''), ['d1', 'd3', 'd4']);
    });

    test('events with different keys have different runs', async (t) => {
      const { take, runs } = await createFixture(t, open);
      await take('d1', { key: 'eu' });
      await take('d2', { key: 'us' });
      await take('d3', { key: 'eu' });
      assert.equal((await runs()).length, 2);
    });

    test('a batch deploys the newest revision that an event of another key has brought to the branch, so that it does not come late', async (t) => {
      const { take, runs } = await createFixture(t, open);
      const shas = async () => (await runs()).map(({ sha, delivery }) => [sha, delivery]);
      await take('d1', { key: 'eu' });
      await take('d3', { key: 'us' });
      await take('d4', { key: 'eu' });
      await take('d2', { key: 'us' });
      assert.deepEqual(await shas(), [
        [SHA.d4, 'd4'],
        [SHA.d4, 'd3'],
      ]);
      const other = await createFixture(t, open);
      await other.take('d4', { key: 'eu' });
      await other.take('d2', { key: 'us' });
      assert.deepEqual(
        (await other.runs()).map(({ sha }) => sha),
        [SHA.d4, SHA.d4],
      );
    });

    test('a full batch goes on at once, after those of other keys that began before it, which end', async (t) => {
      const { take, runs, store } = await createFixture(t, open, { batch: { ...BATCH, most: 2 } });
      await take('d1', { key: 'eu' });
      await take('d2', { key: 'us' });
      const { changed } = await take('d3', { key: 'us' });
      const [eu, us] = await runs();
      assert.deepEqual([eu?.state, us?.state], ['queued', 'queued']);
      assert.deepEqual(
        changed.map(({ id }) => id),
        [us?.id, eu?.id],
      );
      assert.equal((await store.runs.nextRunnable(0))?.id, eu?.id);
    });

    test('so it is with those that gather in the lane that the spec had before', async (t) => {
      const { take, runs, store } = await createFixture(t, open, { batch: { ...BATCH, most: 2 } });
      await take('d1', { key: 'eu' });
      await take('d2', { key: 'us', lane: 'moved' });
      await take('d3', { key: 'us', lane: 'moved' });
      assert.deepEqual(
        (await runs()).map(({ state, lane, sha }) => [state, lane, sha]),
        [
          ['queued', 'main', SHA.d3],
          ['queued', 'moved', SHA.d3],
        ],
      );
      assert.equal((await store.runs.nextRunnable(0))?.lane, 'main');
    });

    test('GitHub hears of a batch when it ends, of the revision that it has then alone', async (t) => {
      const { take, pass, runs, store } = await createFixture(t, open);
      await take('d1');
      await take('d2');
      const [run] = await runs();
      const told = async () =>
        (await store.outbox.ofRun(run?.id ?? '')).map(({ callback }) => callback);
      assert.deepEqual(await told(), []);
      await pass(WINDOW);
      const callbacks = (await told()) as { kind: string; sha?: string }[];
      assert.deepEqual(
        callbacks.map(({ kind, sha }) => [kind, sha]),
        [
          ['status', SHA.d2],
          ['deployment', SHA.d2],
        ],
      );
    });

    test('a batch whose run was cancelled takes nothing more', async (t) => {
      const { take, runs, store, transitions } = await createFixture(t, open);
      await take('d1');
      const [run] = await runs();
      assert.ok(run);
      await transitions.commit(run, { type: 'cancel', reason: 'Cancelled by alice' });
      await take('d2');
      assert.deepEqual(
        (await runs()).map(({ state }) => state),
        ['cancelled', 'blocked'],
      );
      assert.equal((await store.batches.view(run.id))?.closedAt, 1_000_000);
    });

    test('a gate counts from the end of the batch', async (t) => {
      const gates = [
        { kind: 'approve', from: [], count: 1, notAuthor: false, timeoutMs: 30_000 },
      ] as never;
      const { take, pass, runs } = await createFixture(t, open, { gates });
      await take('d1');
      await pass(WINDOW);
      assert.match((await runs())[0]?.reason ?? '', /^Waiting for/);
      await pass(30_000);
      assert.equal((await runs())[0]?.state, 'cancelled');
    });

    test('a replay by hand has a run of its own at once, after what gathers, which ends', async (t) => {
      const { take, runs } = await createFixture(t, open);
      await take('d1');
      await take('d2', { cause: 'replay' });
      assert.deepEqual(
        (await runs()).map(({ state, batch }) => [state, batch !== undefined]),
        [
          ['queued', true],
          ['queued', false],
        ],
      );
    });

    test('payloads of a batch are kept as long as its run, and what repeats it', async (t) => {
      const { take, pass, runs, store, transitions } = await createFixture(t, open);
      await take('d1');
      await take('d2');
      await pass(WINDOW);
      for (const id of ['d1', 'd2']) {
        await store.inbox.close(id, 'processed', { summary: '', specs: [] }, 1000);
      }
      const [run] = await runs();
      assert.ok(run);
      const forget = async () => {
        await store.retention.payloads({ before: Infinity, count: 0 }, 9000, 0, 100);
        return (await store.inbox.get('d1'))?.payload === '';
      };
      assert.equal(await forget(), false);
      await transitions.commit(run, { type: 'cancel', reason: '' });
      const all = { before: Infinity, count: 0, fresh: Infinity };
      for (const { id } of await store.outbox.ofRun(run.id))
        await store.outbox.finish(id, 'sent', 9000);
      assert.equal((await store.retention.runs(all, 0, 100)).removed, 1);
      assert.equal(await store.batches.view(run.id), undefined);
      assert.equal(await forget(), true);
    });
  });
}
