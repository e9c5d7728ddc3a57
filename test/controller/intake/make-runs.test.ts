import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { judgedBy, outcomeOf, recognizeHook } from '../../../src/controller/intake/judge.ts';
import { createMakeRuns, type Origin } from '../../../src/controller/intake/make-runs.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Pause } from '../../../src/model/pause.ts';
import type { DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import type { RunCommand } from '../../../src/model/run-state.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import type { Store, Tables } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const ENGINES = bothEngines();

/** Four deliveries of one branch have come, `d1` to `d4`; `make` makes the run of one of them. */
async function createFixture(
  t: TestContext,
  open: (t: TestContext) => Promise<Store>,
  how: Partial<DeploymentSpec['concurrency']> = {},
) {
  const store = await open(t);
  for (const id of ['d1', 'd2', 'd3', 'd4']) await store.accept(sampleDelivery(id));
  const concurrency = { lane: 'main', queue: 'newest', cancelRunning: false, ...how } as const;
  const loaded = sampleLoaded({ concurrency });
  const moved = sampleLoaded({ concurrency: { ...concurrency, lane: 'moved' } });
  const transitions = createTransitions({
    store,
    specOf: async () => loaded.spec,
    clock: systemClock,
    news: createBroadcast<News>(),
    publicUrl: undefined,
    feedback: undefined,
  });
  const makeRuns = createMakeRuns({
    transitions,
    clock: systemClock,
    rollBack: () => assert.fail('nothing is rolled back here'),
  });
  const event = (sha: string) => ({
    kind: 'push' as const,
    repository: 'acme/storefront',
    ref: 'refs/heads/main',
    branch: 'main',
    sha,
  });
  const judgedOf = (sha: string, by = loaded) =>
    ({
      event: event(sha),
      verdicts: [{ loaded: by, verdict: { matched: true, reasons: [] } }],
    }) as never;
  // Judged while the lane was empty.
  const originOf = (delivery: string, cause: Origin['cause'] = 'event') =>
    ({ delivery, cause, overtaken: new Map() }) as never;
  async function change(command: RunCommand) {
    for (const run of await store.runs.active('main')) await transitions.commit(run, command);
  }
  return {
    async make(delivery: string, sha: string, cause?: Origin['cause']) {
      const origin = originOf(delivery, cause);
      await store.atomically(async (tables) => await makeRuns(tables, origin, judgedOf(sha)));
    },
    /** As the spec is when its lane has changed. */
    async makeElsewhere(delivery: string, sha: string) {
      const judged = judgedOf(sha, moved);
      await store.atomically(async (tables) => await makeRuns(tables, originOf(delivery), judged));
    },
    /** The runs of deliveries in their order, in one transaction. */
    async makeTogether(...of: readonly [delivery: string, sha: string][]) {
      const works = of.map(([delivery, sha]) => async (tables: Tables) => {
        await makeRuns(tables, originOf(delivery), judgedOf(sha));
      });
      await store.inOrder(works, 1000);
    },
    start: () => change({ type: 'start' }),
    end: change,
    runs: async () =>
      (await store.runs.list({ limit: 9, before: undefined }, {})).items.toReversed(),
  };
}

const OLDER = '1'.repeat(40);
const NEWER = '2'.repeat(40);
const NEWEST = '3'.repeat(40);

for (const [engine, open] of ENGINES) {
  describe(`runs are made on ${engine}`, () => {
    test('a delivery whose row was there later than that of the next one does not supersede its run', async (t) => {
      const { make, runs } = await createFixture(t, open);
      await make('d2', NEWER);
      await make('d1', OLDER);
      const [newer, older] = await runs();
      assert.deepEqual([newer?.sha, newer?.state], [NEWER, 'queued']);
      assert.deepEqual([older?.sha, older?.state], [OLDER, 'superseded']);
      const why = 'whose delivery came later but could be read sooner';
      assert.equal(older?.reason, `Superseded by 2222222 (run ${newer?.id}), ${why}`);
    });

    test('what was asked for by hand stands against a delivery that had come before and could not be read', async (t) => {
      const { make, runs } = await createFixture(t, open);
      await make('d2', OLDER, 'deploy');
      await make('d1', NEWER);
      const [byHand, late] = await runs();
      assert.equal(byHand?.state, 'queued');
      const why = 'which was asked for by hand after the delivery had come';
      assert.equal(late?.reason, `Superseded by 1111111 (run ${byHand.id}), ${why}`);
      await make('d3', NEWEST);
      const states = (await runs()).map(({ state }) => state);
      assert.deepEqual(states, ['superseded', 'superseded', 'queued'], 'what comes later is newer');
    });

    test('what was asked for by hand and then cancelled, or has failed, keeps no delivery from being deployed', async (t) => {
      const { make, end, start, runs } = await createFixture(t, open);
      await make('d3', OLDER, 'deploy');
      await end({ type: 'cancel', reason: 'Cancelled by alice' });
      await make('d1', NEWER);
      await start();
      await end({ type: 'fail', fault: 'step', reason: 'exit code 1' });
      await make('d4', OLDER, 'deploy');
      await start();
      await end({ type: 'fail', fault: 'step', reason: 'exit code 1' });
      await make('d2', NEWEST);
      const states = (await runs()).map(({ state }) => state);
      assert.deepEqual(states, ['cancelled', 'failed', 'failed', 'queued']);
    });

    test('in the order of arrival the newer one supersedes the older', async (t) => {
      const { make, runs } = await createFixture(t, open);
      await make('d1', OLDER);
      await make('d2', NEWER);
      const states = (await runs()).map(({ state }) => state);
      assert.deepEqual(states, ['superseded', 'queued']);
    });

    test('and so it does where the lane of the spec has changed meanwhile, with cancel-running also what runs there', async (t) => {
      const { make, makeElsewhere, start, runs } = await createFixture(t, open, {
        cancelRunning: true,
      });
      await make('d1', OLDER);
      await start();
      await make('d2', NEWER);
      await makeElsewhere('d3', NEWEST);
      const made = (await runs()).map(({ state, lane, cancelRequested }) => [
        state,
        lane,
        cancelRequested !== undefined,
      ]);
      assert.deepEqual(made, [
        ['running', 'main', true],
        ['superseded', 'main', false],
        ['queued', 'moved', false],
      ]);
    });

    test('that a later delivery has brought the same revision again says nothing of the one in between', async (t) => {
      const { make, makeTogether, runs, start } = await createFixture(t, open);
      await make('d3', NEWER);
      await start();
      await makeTogether(['d1', NEWER], ['d2', OLDER]);
      const [, , between] = await runs();
      assert.deepEqual([between?.delivery, between?.state], ['d2', 'superseded']);
    });

    test('a run of a later delivery that waits keeps its place against one of the same revision that comes late', async (t) => {
      const { make, makeTogether, runs } = await createFixture(t, open);
      await make('d3', NEWER);
      await makeTogether(['d1', NEWER], ['d2', OLDER]);
      assert.deepEqual(
        (await runs()).map(({ delivery, state }) => [delivery, state]),
        [
          ['d3', 'queued'],
          ['d1', 'superseded'],
          ['d2', 'superseded'],
        ],
      );
    });

    test('with cancel-running a run that has begun is not stopped for a late delivery of its own revision', async (t) => {
      const { make, runs, start } = await createFixture(t, open, { cancelRunning: true });
      await make('d2', NEWER);
      await start();
      await make('d1', NEWER);
      const [running, late] = await runs();
      assert.deepEqual([running?.state, running?.cancelRequested], ['running', undefined]);
      assert.equal(late?.state, 'superseded');
      await make('d3', NEWEST);
      assert.match((await runs())[0]?.cancelRequested ?? '', /^Cancelled by newer run /);
    });

    test('of deliveries whose runs are made in one transaction the late one is superseded, and those that came later are not', async (t) => {
      const { make, makeTogether, runs } = await createFixture(t, open);
      await make('d2', NEWER);
      await makeTogether(['d1', OLDER], ['d3', NEWEST], ['d4', OLDER]);
      assert.deepEqual(
        (await runs()).map(({ delivery, state }) => [delivery, state]),
        [
          ['d2', 'superseded'],
          ['d1', 'superseded'],
          ['d3', 'superseded'],
          ['d4', 'queued'],
        ],
      );
    });

    test('a replay of the older one by hand, and a queue of all, go on', async (t) => {
      const byHand = await createFixture(t, open);
      await byHand.make('d2', NEWER);
      await byHand.make('d1', OLDER, 'replay');
      const [, replayed] = await byHand.runs();
      assert.deepEqual([replayed?.sha, replayed?.state], [OLDER, 'queued']);

      const all = await createFixture(t, open, { queue: 'all' });
      await all.make('d2', NEWER);
      await all.make('d1', OLDER);
      const states = (await all.runs()).map(({ state }) => state);
      assert.deepEqual(states, ['queued', 'queued']);
    });
  });
}

const { specs: ALERTED } = parseSpecs(
  'specs.yaml',
  ['last', 'back']
    .map(
      (name) => `
name: ${name}
repository: acme/storefront
if: "false"
batch: { window: 1m }
on: { hook: { id: alert, do: rollback, reason: body.why, if: "body.status == 'firing'" } }
steps: [{ run: 'true' }]
`,
    )
    .join('---'),
);

const PAUSE: Pause = { kind: 'lane', name: 'main', since: 1, by: 'hook:alert', reason: 'errors' };

test('a request rolls back the specs that say so, each with its reason; a replay does not, and both say what came of it', async (t) => {
  const [, open] = ENGINES[0] ?? assert.fail();
  const asked: object[] = [];
  const paused: Pause[] = [];
  const [run] = [sampleRun('r1', { cause: 'rollback', spec: 'back', sha: OLDER })];
  const makeRuns = createMakeRuns({
    transitions: {} as never,
    clock: systemClock,
    rollBack: async (_, one) => {
      asked.push(one);
      return one.spec === 'back'
        ? { runs: [{ ...run, sequence: 1 }], pause: PAUSE }
        : 'it was rolled back already';
    },
  });
  const hook = { hook: { id: 'alert', if: undefined } } as never;
  const judge = async (status: string) => {
    const payload = { hook: 'alert', type: null, inputs: {}, body: { status, why: 'errors' } };
    const catalog = { forHook: () => ALERTED, hook: () => hook };
    return await judgedBy(recognizeHook(catalog, 'alert', payload), payload);
  };
  const store = await open(t);
  const told = async (status: string, cause: Origin['cause']) => {
    const judged = await judge(status);
    const origin = { delivery: 'alert.1', cause, overtaken: new Map() };
    const made = await store.atomically((tables) => makeRuns(tables, origin, judged));
    paused.push(...made.paused);
    return outcomeOf(judged, made.bySpec, made.batched, made.refused);
  };

  const { summary, specs } = await told('firing', 'event');
  assert.equal(summary, 'Rolling back back to 1111111');
  assert.deepEqual(asked, [
    { spec: 'last', delivery: 'alert.1', hook: 'alert', reason: 'errors' },
    { spec: 'back', delivery: 'alert.1', hook: 'alert', reason: 'errors' },
  ]);
  assert.deepEqual(
    specs.map(({ spec, verdict, run: id }) => [spec, verdict.matched, id]),
    [
      ['last', false, undefined],
      ['back', true, 'r1'],
    ],
  );
  assert.partialDeepStrictEqual(specs[0]?.verdict.reasons.at(-1), {
    condition: 'on.hook.do',
    detail: 'it was rolled back already',
  });

  assert.match((await told('resolved', 'event')).summary, /^Not deployed: .* is false$/);
  assert.match(
    (await told('firing', 'replay')).summary,
    /^Not rolled back: a replay rolls nothing back; "mainsheet rollback last" does$/,
  );
  assert.equal(asked.length, 2);
  assert.deepEqual(paused, [PAUSE]);
});
