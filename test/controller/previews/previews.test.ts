import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createMakeRuns } from '../../../src/controller/intake/make-runs.ts';
import { createTeardownLoop } from '../../../src/controller/previews/teardown-loop.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { DeploymentSpec, LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { Event } from '../../../src/model/event.ts';
import type { News } from '../../../src/model/news.ts';
import { asTeardown, type TeardownPayload } from '../../../src/model/preview.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { matchSpec } from '../../../src/spec/match.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const TTL = 60_000;
const on = {
  pullRequest: { branches: [], ttlMs: TTL, most: 2, forks: true },
} as unknown as DeploymentSpec['on'];

for (const [engine, open] of bothEngines()) {
  describe(`previews on ${engine}`, () => {
    async function setUp(t: TestContext, stepsApart = false) {
      const store = await open(t);
      const sample = sampleLoaded({ on });
      const loaded = { ...sample, spec: { ...sample.spec, teardown: sample.spec.steps } };
      const { name, repository } = loaded.spec;
      let now = 1_000_000;
      let count = 0;
      const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
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

      async function judged(event: Event, id: string, of: LoadedSpec = loaded) {
        const verdict = matchSpec(of.spec, event, {});
        const origin = { delivery: id, cause: 'event', overtaken: new Map() } as const;
        const made = await store.atomically((tables) =>
          makeRuns(tables, origin, { event, verdicts: [{ loaded: of, verdict }] }),
        );
        return { run: made.bySpec.get(name), refused: made.refused.get(name)?.reasons[0]?.detail };
      }

      /** One look, as every replica has it. */
      async function look() {
        const stopping = new AbortController();
        const ending = { ...clock, now: () => (stopping.abort(), now) };
        const catalog = { byName: () => loaded };
        await createTeardownLoop({
          store,
          catalog,
          onAccepted: () => undefined,
          clock: ending,
          logger: silentLogger,
        }).run(stopping.signal);
      }

      return {
        store,
        look,
        tick: (ms: number) => (now += ms),
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
          const payload = JSON.parse((await store.inbox.get(id))?.payload ?? '') as TeardownPayload;
          return await judged({ kind: 'teardown', ...payload }, id, asTeardown(loaded));
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

    test("a fork's is deployed only where steps have a user of their own", async (t) => {
      const fork = { headRepository: 'eve/shop' };
      assert.match((await (await setUp(t)).tell(7, 1, fork)).refused ?? '', /MAINSHEET_STEP_USER/);
      assert.ok((await (await setUp(t, true)).tell(7, 1, fork)).run);
    });
  });
}
