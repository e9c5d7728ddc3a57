import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { AnyCallback } from '../../../src/callbacks/index.ts';
import { createPausing } from '../../../src/controller/operator/pausing.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { DeploymentSpec, LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { isLaneOfOthers, type PauseTarget } from '../../../src/model/pause.ts';
import type { NewRun, Run } from '../../../src/model/run.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { audited } from '../../support/audited.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const SHOP: PauseTarget = { kind: 'spec', name: 'storefront' };
const LANE: PauseTarget = { kind: 'lane', name: 'main' };
const WHY = 'Paused by admin since 2026-01-02T03:04Z (spec storefront): the database moves';

const ENGINES = bothEngines();

for (const [engine, open] of ENGINES) {
  describe(`pausing on ${engine}`, () => {
    /** Specs by name; each is in the catalog. */
    async function setUp(t: TestContext, more: Partial<DeploymentSpec> = {}) {
      const store = await open(t);
      const loaded = sampleLoaded(more);
      const clock = { now: () => NOW, elapsed: () => NOW, sleep: async () => undefined };
      const catalog: LoadedSpec[] = [loaded];
      let wakes = 0;
      const news = createBroadcast<News>();
      news.subscribe(() => (wakes += 1));
      const transitions = createTransitions({
        store,
        specOf: async () => loaded.spec,
        clock,
        news,
        publicUrl: undefined,
        feedback: 'app',
        sharesLane: (run) => isLaneOfOthers(run, catalog),
      });
      const pausing = createPausing({
        store,
        transitions,
        catalog: {
          current: () => ({ specs: catalog, problems: [], loadedAt: NOW, stale: false }),
        },
        clock,
      });
      const create = (id: string, run: Partial<NewRun> = {}) =>
        store.atomically((tables) => transitions.create(tables, sampleRun(id, run), loaded));
      const get = async (id: string): Promise<Run> => {
        const run = await store.runs.get(id);
        assert.ok(run);
        return run;
      };
      /** As the runner does it. */
      const claim = () =>
        store.atomically(async (tables) => {
          const next = await tables.runs.nextRunnable(NOW);
          if (next === undefined) return undefined;
          assert.ok(await tables.runs.own(next.id, 'me', NOW + 1000, NOW));
          return (await transitions.apply(tables, next, { type: 'start' }, 'me')).id;
        });
      const states = async (...ids: string[]) =>
        await Promise.all(ids.map(async (id) => (await get(id)).state));
      return {
        store,
        catalog,
        transitions,
        pausing,
        create,
        get,
        claim,
        states,
        wakes: () => wakes,
      };
    }

    test('what waits is blocked and says who, when and why; what runs goes on', async (t) => {
      const { store, pausing, create, get, claim } = await setUp(t);
      await create('r1');
      assert.equal(await claim(), 'r1');
      await create('r2');
      const { runs } = await pausing.pause(SHOP, 'admin', ' the database\n moves ');
      assert.deepEqual(
        runs.map(({ id, state, reason }) => [id, state, reason]),
        [['r2', 'blocked', WHY]],
      );
      assert.equal((await get('r1')).state, 'running');
      const told = (await store.outbox.ofRun('r2')).map(({ callback }) => callback as AnyCallback);
      const last = told.findLast((callback) => callback.kind === 'status');
      assert.ok(last?.kind === 'status');
      assert.deepEqual([last.state, last.description], ['pending', WHY]);
      const [entry] = await audited(store, 1);
      assert.deepEqual(entry, {
        at: NOW,
        actor: 'admin',
        origin: undefined,
        action: 'spec.pause',
        subject: 'storefront',
        detail: 'the database moves; 1 runs waiting',
      });
      const shownTo = async (seen: string[]) =>
        (await store.audit.search({ limit: 9, before: undefined }, { seen })).items.length;
      assert.deepEqual([await shownTo(['acme/storefront']), await shownTo(['acme/x'])], [1, 0]);
    });

    test('in a lane of several repositories a run says that it is paused, and not by whom and why', async (t) => {
      const { store, catalog, pausing, create, get } = await setUp(t);
      const lane = { kind: 'lane', name: 'main' } as const;
      await create('r1');
      const reasonOf = async () => {
        const reason = (await pausing.pause(lane, 'ann', 'the other leaks')).runs[0]?.reason;
        await pausing.resume(lane, 'ann');
        return reason;
      };
      const told = 'Paused since 2026-01-02T03:04Z (lane main)';
      assert.match((await reasonOf()) ?? '', /^Paused by ann since .*: the other leaks$/);
      const { spec } = sampleLoaded({ name: 'other', repository: 'acme/other' });
      const other = {
        ...sampleLoaded(),
        spec: { ...spec, concurrency: { lane: 'main', queue: 'newest' } },
      };
      catalog.push(other as LoadedSpec);
      assert.equal(await reasonOf(), told);
      // What a spec that is gone has deployed is there, too.
      catalog.pop();
      const gone = { ...(await get('r1')), spec: 'other', repository: 'acme/other' };
      await store.environments.record(gone, NOW);
      assert.equal(await reasonOf(), told);
    });

    test('new runs are made and wait, the newest wins among them, and resume starts it', async (t) => {
      const { store, pausing, create, claim, states, wakes } = await setUp(t);
      await pausing.pause(SHOP, 'admin', 'the database moves');
      await create('r1');
      const [made] = await create('r2');
      assert.deepEqual([made?.state, made?.reason], ['blocked', WHY]);
      assert.deepEqual(await states('r1', 'r2'), ['superseded', 'blocked']);
      assert.equal(await claim(), undefined);
      const before = wakes();
      const { runs } = await pausing.resume(SHOP, 'admin');
      assert.deepEqual(
        runs.map(({ id, state }) => [id, state]),
        [['r2', 'queued']],
      );
      assert.ok(wakes() > before);
      assert.equal(await claim(), 'r2');
      assert.equal((await audited(store, 1))[0]?.action, 'spec.resume');
    });

    test('a lane that is paused holds all its specs; a spec that is paused does not hold up the lane', async (t) => {
      const { pausing, create, claim, states } = await setUp(t);
      await create('r1');
      await create('r2', { spec: 'docs' });
      await pausing.pause(LANE, 'admin', '');
      assert.deepEqual(await states('r1', 'r2'), ['blocked', 'blocked']);
      assert.equal(await claim(), undefined);
      await pausing.resume(LANE, 'admin');
      await pausing.pause(SHOP, 'admin', '');
      assert.equal(await claim(), 'r2');
    });

    test('a run goes on waiting where another pause holds it, and says so by then', async (t) => {
      const { store, pausing, create, get, claim } = await setUp(t);
      await create('r1');
      await pausing.pause(SHOP, 'admin', 'one');
      await pausing.pause(LANE, 'admin', 'two');
      // Both began in the same millisecond, so the lane comes first.
      assert.match((await get('r1')).reason, /spec storefront\): one$/);
      await pausing.resume(SHOP, 'admin');
      assert.equal((await get('r1')).state, 'blocked');
      assert.match((await get('r1')).reason, /lane main\): two$/);
      const told = (await store.outbox.ofRun('r1')).map(({ callback }) => callback as AnyCallback);
      const last = told.findLast((callback) => callback.kind === 'status');
      assert.ok(last?.kind === 'status');
      assert.match(last.description, /lane main\): two$/);
      assert.equal(await claim(), undefined);
      await pausing.resume(LANE, 'admin');
      assert.equal(await claim(), 'r1');
    });

    test('with cancel-running a run that is held stops nothing before it may start', async (t) => {
      const { pausing, create, get, claim } = await setUp(t, {
        concurrency: { lane: 'main', queue: 'newest', cancelRunning: true },
      });
      await create('r1');
      await claim();
      await pausing.pause(SHOP, 'admin', '');
      await create('r2');
      assert.equal((await get('r1')).cancelRequested, undefined);
      await pausing.resume(SHOP, 'admin');
      assert.match((await get('r1')).cancelRequested ?? '', /newer run r2/);
    });

    test('with queue: all everything that was made meanwhile has its turn, in order', async (t) => {
      const { pausing, create, claim, get, transitions } = await setUp(t, {
        concurrency: { lane: 'main', queue: 'all', cancelRunning: false },
      });
      await pausing.pause(SHOP, 'admin', '');
      for (const id of ['r1', 'r2', 'r3']) await create(id);
      await pausing.resume(SHOP, 'admin');
      for (const id of ['r1', 'r2', 'r3']) {
        assert.equal(await claim(), id);
        assert.equal(await claim(), undefined);
        await transitions.commit(await get(id), { type: 'succeed', outputs: {} });
      }
    });

    test('a run that waits for a resume can be cancelled, and one that ended as it was made is not touched', async (t) => {
      const { pausing, create, get, transitions } = await setUp(t);
      await pausing.pause(SHOP, 'admin', '');
      await create('r1');
      await transitions.commit(await get('r1'), { type: 'cancel', reason: 'not needed' });
      await create('r2', { state: 'superseded', finishedAt: NOW });
      assert.equal((await get('r2')).state, 'superseded');
      assert.deepEqual((await pausing.resume(SHOP, 'admin')).runs, []);
    });

    test('what is not there, is paused already, or is not paused, is refused with what it is', async (t) => {
      const { pausing, catalog, store } = await setUp(t);
      const refused = (code: string, message: RegExp) => ({ code, message });
      await assert.rejects(
        pausing.pause({ kind: 'spec', name: 'storefrnt' }, 'admin', ''),
        refused('spec-unknown', /no deployment spec storefrnt/),
      );
      await assert.rejects(
        pausing.pause({ kind: 'lane', name: 'storefront' }, 'admin', ''),
        refused('lane-unknown', /no lane storefront/),
      );
      await assert.rejects(
        pausing.resume(SHOP, 'admin'),
        refused('not-paused', /storefront is not paused/),
      );
      await assert.rejects(
        pausing.pause(SHOP, 'admin', 'x'.repeat(201)),
        refused('reason-too-long', /201 characters; it may have 200/),
      );
      await pausing.pause(SHOP, 'admin', 'first');
      await assert.rejects(
        pausing.pause(SHOP, 'other', 'second'),
        refused('already-paused', /paused by admin since 2026-01-02T03:04:05\.000Z: first$/),
      );
      assert.equal((await audited(store, 9)).length, 1);
      // Gone, and still paused by its name.
      catalog.length = 0;
      await pausing.resume(SHOP, 'admin');
    });

    test('whatever happens at once: after a pause nothing starts, and nothing waits unblocked', async (t) => {
      const { store, pausing, create, claim } = await setUp(t, {
        concurrency: { lane: 'main', queue: 'all', cancelRunning: false },
      });
      for (let round = 0; round < 10; round += 1) {
        const lane = `lane ${round}`;
        await create(`${round}-0`, { lane });
        const paused = pausing.pause(SHOP, 'admin', '');
        const busy = [1, 2, 3].map((one) => create(`${round}-${one}`, { lane }));
        await Promise.all([paused, claim(), claim(), ...busy]);
        // What was taken was taken before the pause; from now on there is nothing to take.
        assert.equal(await claim(), undefined);
        const active = await store.runs.active(lane);
        assert.deepEqual(
          active.filter(({ state }) => state === 'queued'),
          [],
        );
        for (const run of active) {
          await store.runs.update({ ...run, state: 'cancelled' }, { state: run.state });
        }
        await pausing.resume(SHOP, 'admin');
      }
    });
  });
}
