import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createRecognize } from '../../../src/controller/intake/judge.ts';
import { createMakeRuns } from '../../../src/controller/intake/make-runs.ts';
import { createTeardownLoop } from '../../../src/controller/previews/teardown-loop.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { DeploymentSpec, LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { Event, Json } from '../../../src/model/event.ts';
import type { News } from '../../../src/model/news.ts';
import { teardownEventName } from '../../../src/model/preview.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import { matchSpec } from '../../../src/spec/match.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const TTL = 60_000;
const on = {
  pullRequest: { branches: [], ttlMs: TTL, most: 2, forks: true },
} as unknown as DeploymentSpec['on'];

const sample = sampleLoaded({ on });
const SAMPLE: LoadedSpec = { ...sample, spec: { ...sample.spec, teardown: sample.spec.steps } };

/** With a text that its snapshot is read from. */
function written(environment: string, more = ''): LoadedSpec {
  const [loaded] = parseSpecs(
    'preview.yaml',
    `name: storefront
repository: acme/storefront
environment: ${environment}
on: { pull_request: { ttl: 7d } }
steps: [{ run: deploy }]
teardown: [{ name: Remove from ${environment}, run: remove }]
${more}`,
  ).specs;
  assert.ok(loaded);
  return loaded;
}

for (const [engine, open] of bothEngines()) {
  describe(`previews on ${engine}`, () => {
    async function setUp(t: TestContext, stepsApart = false, loaded = SAMPLE) {
      const store = await open(t);
      /** The specs as they are now. */
      const now = { spec: loaded as LoadedSpec | undefined, stale: false };
      const { name, repository } = loaded.spec;
      let time = 1_000_000;
      let count = 0;
      const clock = { now: () => time, elapsed: () => time, sleep: async () => undefined };
      const transitions = createTransitions({
        store,
        specOf: async () => loaded.spec,
        clock,
        news: createBroadcast<News>(),
        publicUrl: undefined,
        feedback: undefined,
      });
      const makeRuns = createMakeRuns({
        transitions,
        clock,
        stepsApart,
        rollBack: () => assert.fail('nothing is rolled back here'),
      });

      const catalog = {
        byName: () => now.spec,
        current: () => ({ specs: [], problems: [], loadedAt: 1, stale: now.stale }),
        forRepository: () => [],
        forHook: () => [],
        hook: () => undefined,
      };
      const recognize = createRecognize({
        catalog,
        snapshots: store.snapshots,
        repositories: store.repositories,
        whyNoPlan: () => undefined,
        clock,
      });

      async function judged(event: Event, id: string, of: LoadedSpec = loaded) {
        const verdict = matchSpec(of.spec, event, {});
        const origin = { delivery: id, cause: 'event', overtaken: new Map() } as const;
        const made = await store.atomically((tables) =>
          makeRuns(tables, origin, { event, verdicts: [{ loaded: of, verdict }] }),
        );
        return { run: made.bySpec.get(name), refused: made.refused.get(name)?.reasons[0]?.detail };
      }

      /** Looks once at each call, as every replica does. */
      function replica() {
        let stopping = new AbortController();
        const loop = createTeardownLoop({
          store,
          catalog,
          clock: { ...clock, now: () => (stopping.abort(), time) },
          logger: silentLogger,
        });
        return async () => {
          stopping = new AbortController();
          await loop.run(stopping.signal);
        };
      }

      return {
        store,
        replica,
        look: replica(),
        specs: now,
        tick: (ms: number) => (time += ms),
        async tell(number: number, changedAt: number, more: object = {}) {
          const id = `d${(count += 1)}`;
          await store.accept(sampleDelivery(id));
          const event = {
            kind: 'pull_request',
            repository,
            number,
            isReady: true,
            isClosed: false,
            base: 'main',
            head: 'a'.repeat(40),
            headBranch: 'x',
            headRepository: repository,
            title: '',
            defaultBranch: 'main',
            changedAt,
            ...more,
          };
          return await judged(event as Event, id);
        },
        async succeed(run: string) {
          const [made] = [await store.runs.get(run)];
          assert.ok(made);
          const started = await transitions.commit(made, { type: 'start' });
          await transitions.commit(started, { type: 'succeed', outputs: {} });
        },
        /** The deliveries that take something down. */
        async teardowns(): Promise<string[]> {
          const { items } = await store.inbox.list({ limit: 50, before: undefined });
          return items.filter(({ event }) => event.startsWith('teardown:')).map(({ id }) => id);
        },
        async takeDown(id: string) {
          const payload = JSON.parse((await store.inbox.get(id))?.payload ?? '') as Json;
          const { event, candidates } = await recognize(teardownEventName('storefront'), payload);
          return await judged(event, id, candidates[0]);
        },
        stateOf: async (number: number) =>
          (await store.previews.get({ spec: name, repository, number }))?.state,
        environments: async (from: Store = store) =>
          (await from.environments.list()).map(({ environment }) => environment),
      };
    }

    test('each has an environment and a lane of its own, and is taken down once when its time is over', async (t) => {
      const { tell, tick, look, succeed, takeDown, teardowns, stateOf, environments, store } =
        await setUp(t);
      const { run } = await tell(7, 1);
      assert.ok(run);
      assert.deepEqual(
        [run.environment, run.lane, run.ref],
        ['production-7', `${sampleLoaded().spec.concurrency.lane}-7`, 'refs/pull/7/head'],
      );
      await succeed(run.id);
      tick(TTL - 1);
      await look();
      assert.deepEqual(await teardowns(), []);
      tick(1);
      await Promise.all([look(), look()]);
      const [delivery, ...more] = await teardowns();
      assert.ok(delivery);
      assert.deepEqual([more, await stateOf(7)], [[], 'ending']);
      const down = await takeDown(delivery);
      assert.deepEqual(
        [down.run?.event, down.run?.environment, down.run?.sha],
        ['teardown', 'production-7', run.sha],
      );
      assert.deepEqual(await environments(), ['production-7']);
      await succeed(down.run?.id ?? '');
      assert.deepEqual([await environments(), await stateOf(7)], [[], 'ended']);
      assert.match((await takeDown(delivery)).refused ?? '', /nothing is left of the preview/);
      await store.retention.previews(Number.MAX_SAFE_INTEGER, 10);
      assert.equal(await stateOf(7), undefined);
    });

    test('another commit gives it its time again, and one that comes while it is taken down wins', async (t) => {
      const { tell, tick, look, takeDown, teardowns, stateOf } = await setUp(t);
      await tell(7, 1);
      tick(TTL - 1);
      await tell(7, 2, { head: 'b'.repeat(40) });
      tick(TTL - 1);
      await look();
      assert.deepEqual(await teardowns(), []);
      tick(1);
      await look();
      const [delivery] = await teardowns();
      await tell(7, 3, { head: 'c'.repeat(40) });
      assert.match((await takeDown(delivery ?? '')).refused ?? '', /was deployed again since/);
      assert.equal(await stateOf(7), 'live');
    });

    test('what is told late of one that is closed deploys nothing', async (t) => {
      const { tell, look, teardowns } = await setUp(t);
      await tell(7, 5, { isReady: false, isClosed: true });
      assert.match((await tell(7, 4)).refused ?? '', /has changed since/);
      await look();
      assert.deepEqual(await teardowns(), []);
    });

    test('of a commit and its closing in the same second the closing is later, whatever comes first; opened again it is deployed', async (t) => {
      const { tell, stateOf } = await setUp(t);
      const closed = { isReady: false, isClosed: true };
      await tell(7, 5, closed);
      assert.match((await tell(7, 5)).refused ?? '', /has changed since/);
      assert.notEqual(await stateOf(7), 'live');
      assert.ok((await tell(7, 5, { isReopened: true })).run);
      assert.ok((await tell(7, 5)).run, 'a commit after that');
      await tell(8, 5);
      await tell(8, 5, closed);
      assert.match((await tell(8, 5)).refused ?? '', /has changed since/);
    });

    test('one that is closed is taken down at once, and counts until that has been done', async (t) => {
      const { tell, look, succeed, takeDown, teardowns } = await setUp(t);
      await tell(1, 1);
      await tell(2, 1);
      const most = /has 2 previews, and no more than 2 at once/;
      assert.match((await tell(3, 1)).refused ?? '', most);
      assert.ok((await tell(2, 2)).run, 'itself does not count');
      await tell(1, 2, { isReady: false, isClosed: true });
      await look();
      assert.match((await tell(3, 1)).refused ?? '', most);
      const [delivery] = await teardowns();
      const { run } = await takeDown(delivery ?? '');
      const { run: first } = await tell(2, 3);
      assert.ok(first);
      await succeed(run?.id ?? '');
      assert.ok((await tell(3, 1)).run);
    });

    test('one whose spec is gone for an hour is taken down as that said', async (t) => {
      const { tell, tick, look, replica, specs, takeDown, teardowns, store, succeed, stateOf } =
        await setUp(t, false, written('preview'));
      const another = replica();
      await tell(7, 1);
      tick(60 * 60_000);
      const { spec } = specs;
      specs.spec = undefined;
      await look();
      tick(60_000);
      specs.spec = spec;
      await look();
      specs.spec = undefined;
      tick(60_000);
      await Promise.all([look(), another()]);
      tick(60 * 60_000 - 1);
      await look();
      assert.deepEqual(await teardowns(), [], 'a replica may not have read it yet');
      tick(60_000);
      specs.stale = true;
      await look();
      assert.deepEqual(await teardowns(), [], 'the files are not valid');
      specs.stale = false;
      tick(60_000);
      await Promise.all([look(), another()]);
      const [delivery, ...more] = await teardowns();
      assert.deepEqual(more, []);
      const { run } = await takeDown(delivery ?? '');
      assert.deepEqual([run?.environment, run?.event], ['preview-7', 'teardown']);
      const steps = await store.steps.ofRun(run?.id ?? '');
      assert.deepEqual(
        steps.map(({ name }) => name),
        ['Remove from preview'],
      );
      await succeed(run?.id ?? '');
      assert.equal(await stateOf(7), 'ended');
    });

    test('one whose spec deploys elsewhere by now is taken down where it is', async (t) => {
      const { tell, tick, look, specs, takeDown, teardowns } = await setUp(
        t,
        false,
        written('preview'),
      );
      await tell(7, 1);
      specs.spec = written('review');
      tick(7 * 86_400_000);
      await look();
      const { run } = await takeDown((await teardowns())[0] ?? '');
      assert.equal(run?.environment, 'preview-7');
    });

    test('the teardown takes the place of what waits to be deployed, also with queue: all', async (t) => {
      const loaded = written('preview', 'concurrency: { queue: all }\ngates: [{ approve: {} }]');
      const { tell, look, takeDown, teardowns, store } = await setUp(t, false, loaded);
      const waiting = await tell(7, 1);
      await tell(7, 2, { isReady: false, isClosed: true });
      await look();
      const { run } = await takeDown((await teardowns())[0] ?? '');
      assert.equal((await store.runs.get(waiting.run?.id ?? ''))?.state, 'superseded');
      assert.equal((await store.runs.nextRunnable(0))?.id, run?.id);
    });

    test("a fork's is deployed only where steps have a user of their own", async (t) => {
      const fork = { headRepository: 'eve/shop' };
      assert.match((await (await setUp(t)).tell(7, 1, fork)).refused ?? '', /MAINSHEET_STEP_USER/);
      assert.ok((await (await setUp(t, true)).tell(7, 1, fork)).run);
    });
  });
}
