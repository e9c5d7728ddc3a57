import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createChainLoop } from '../../../src/controller/maintenance/chains.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Follower } from '../../../src/model/chain.ts';
import type { DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import type { RunCommand } from '../../../src/model/run-state.ts';
import type { NewRun } from '../../../src/model/run.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const MINUTE = 60_000;
const START = 1_000_000;
const FOLLOWERS: Follower[] = [
  {
    spec: 'production',
    trigger: { spec: 'storefront', states: ['succeeded'], soakMs: 30 * MINUTE },
  },
  { spec: 'alarm', trigger: { spec: 'storefront', states: ['failed'], soakMs: 0 } },
];
const SPECS = FOLLOWERS.map(({ spec, trigger }) =>
  sampleLoaded({ name: spec, on: { deployments: [trigger] } as unknown as DeploymentSpec['on'] }),
);
const DONE: RunCommand = { type: 'succeed', outputs: {} };
const FAILED: RunCommand = { type: 'fail', fault: 'step', reason: 'Smoke failed' };

for (const [engine, open] of bothEngines()) {
  describe(`chains on ${engine}`, () => {
    async function setUp(t: TestContext) {
      const store = await open(t);
      const loaded = sampleLoaded();
      let now = START;
      let areRead = true;
      const current = () => ({
        specs: areRead ? SPECS : [],
        problems: [],
        stale: !areRead,
        loadedAt: areRead ? 1 : 0,
      });
      const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
      const transitions = createTransitions({
        store,
        specOf: async () => loaded.spec,
        clock,
        news: createBroadcast<News>(),
        publicUrl: undefined,
        feedback: undefined,
        followersOf(spec) {
          if (!areRead) return undefined;
          return spec === 'storefront' ? FOLLOWERS : [];
        },
      });
      return {
        store,
        tick: (ms: number) => (now += ms),
        read: (isIt: boolean) => (areRead = isIt),
        /** A run that ends by the commands, in one transaction with `more`. */
        async deploy(
          id: string,
          run: Partial<NewRun>,
          end: RunCommand,
          more = async () => undefined as void,
        ) {
          await store.atomically(async (tables) => {
            const planned = sampleRun(id, { createdAt: now, ...run });
            const [made] = await transitions.create(tables, planned, loaded);
            assert.ok(made);
            const started = await transitions.apply(tables, made, { type: 'start' });
            await transitions.apply(tables, started, end);
            await more();
          });
        },
        /** Of `id`, which is made after that, it is known what it repeats. */
        retries: (id: string, of: string) =>
          store.audit.record({
            at: now,
            actor: 'me',
            action: 'run.retry',
            subject: of,
            detail: `made run ${id}`,
          }),
        /** One look, as every replica has it. */
        async look(on: Pick<Store, 'chains' | 'lazily'> = store) {
          const stopping = new AbortController();
          const ending = { ...clock, now: () => (stopping.abort(), now) };
          const deps = { store: on, catalog: { current }, clock: ending, logger: silentLogger };
          await createChainLoop(deps).run(stopping.signal);
        },
        delivered: async () =>
          (await store.inbox.list({ limit: 50, before: undefined })).items
            .map(({ event, id, repository }) => `${event} ${id} ${repository}`)
            .filter((text) => text.startsWith('deployment:')),
        chains: async (run: string) =>
          (await store.chains.ofRuns([run])).map(
            ({ spec, state, reason }) => `${spec} ${state}${reason === '' ? '' : `: ${reason}`}`,
          ),
      };
    }

    test('what was healthy for the soak starts the other spec, once among replicas, at the same revision', async (t) => {
      const { store, deploy, tick, look, delivered, chains } = await setUp(t);
      const payload = JSON.stringify({ sender: { login: 'alice' }, head_commit: { id: 'x' } });
      await store.accept(sampleDelivery('d1', { payload }));
      await deploy('r1', { delivery: 'd1', ref: 'refs/heads/main' }, DONE);
      tick(30 * MINUTE - 1);
      await look();
      assert.deepEqual(await delivered(), []);
      assert.deepEqual(await chains('r1'), ['production waiting']);
      tick(1);
      await Promise.all([look(), look(), look()]);
      const id = 'deployment:production:r1';
      assert.deepEqual(await delivered(), [`deployment:production ${id} acme/storefront`]);
      assert.deepEqual(await chains('r1'), ['production started']);
      assert.equal((await store.chains.ofDelivery(id))?.run, 'r1');
      const run = await store.runs.get('r1');
      const stored = JSON.parse((await store.inbox.get(id))?.payload ?? '{}') as object;
      assert.deepEqual(stored, {
        sender: { login: 'alice' },
        head_commit: { id: 'x' },
        spec: 'production',
        deployment: {
          run: 'r1',
          spec: 'storefront',
          environment: 'production',
          state: 'succeeded',
          repository: 'acme/storefront',
          ref: 'refs/heads/main',
          sha: run?.sha,
        },
      });
    });

    test('what a run starts that ended before the specs were read is known when they are', async (t) => {
      const { store, deploy, read, tick, look, delivered, chains } = await setUp(t);
      read(false);
      await deploy('r1', {}, DONE);
      tick(MINUTE);
      assert.deepEqual([await chains('r1'), await store.chains.waiting(9)], [[], []]);
      read(true);
      await look();
      // Another replica's, whose specs differ.
      await store.chains.resolve({ run: 'r1' }, [{ run: 'r1', spec: 'other', dueAt: START }]);
      assert.deepEqual(await chains('r1'), ['production waiting']);
      tick(28 * MINUTE);
      await look();
      assert.deepEqual(await delivered(), []);
      tick(MINUTE);
      await Promise.all([look(), look()]);
      assert.equal((await delivered()).length, 1);
    });

    test('each state starts the specs that name it, and neither a rollback nor its retry starts any', async (t) => {
      const { deploy, chains, retries } = await setUp(t);
      await deploy('r1', {}, FAILED);
      await deploy('r2', { cause: 'rollback', delivery: 'd2' }, FAILED);
      await deploy('r3', { delivery: 'd3' }, { type: 'cancel', reason: 'Cancelled' });
      await retries('r4', 'r2');
      await deploy('r4', { cause: 'retry', delivery: 'd2' }, DONE);
      await retries('r5', 'r1');
      await deploy('r5', { cause: 'retry' }, DONE);
      assert.deepEqual(await Promise.all(['r1', 'r2', 'r3', 'r4', 'r5'].map(chains)), [
        ['alarm waiting'],
        [],
        [],
        [],
        ['production waiting'],
      ]);
    });

    for (const [what, next, end, reason] of [
      ['rolled back', { cause: 'rollback', sha: 'c'.repeat(40) }, DONE, /^run r2 has deployed ccc/],
      ['replaced', { sha: 'd'.repeat(40) }, DONE, /^run r2 has deployed ddddddd since$/],
      ['followed by a failure', { sha: 'e'.repeat(40) }, FAILED, /^run r2 has failed since to/],
    ] as const) {
      test(`what was ${what} before the soak was over starts nothing, and says why`, async (t) => {
        const { deploy, tick, look, delivered, chains } = await setUp(t);
        await deploy('r1', {}, DONE);
        tick(MINUTE);
        await deploy('r2', { ...next, delivery: 'd2' }, end);
        tick(29 * MINUTE);
        await look();
        const [first = ''] = await chains('r1');
        assert.match(first.replace('production skipped: ', ''), reason);
        assert.ok((await delivered()).every((text) => !text.includes('production:r1')));
      });
    }

    test('a failure is not forgotten behind many runs that did nothing, and what is being rolled back goes no further', async (t) => {
      const { store, deploy, tick, look, chains, retries } = await setUp(t);
      await deploy('r1', {}, DONE);
      await deploy('r2', { delivery: 'd2' }, FAILED);
      for (let index = 3; index < 60; index += 1) {
        const over = { state: 'superseded', delivery: `d${index}` } as const;
        await store.runs.insert(sampleRun(`r${index}`, over), []);
      }
      await deploy('s1', { delivery: 'e1', lane: 'eu' }, DONE);
      const back = { delivery: 'e1', lane: 'eu', cause: 'rollback' } as const;
      await store.runs.insert(sampleRun('s2', { ...back, state: 'cancelled' }), []);
      await retries('s3', 's2');
      await store.runs.insert(sampleRun('s3', { ...back, cause: 'retry', createdAt: START }), []);
      tick(30 * MINUTE);
      await look();
      assert.match((await chains('r1')).join(), /skipped: run r2 has failed since/);
      assert.match((await chains('s1')).join(), /skipped: run s3 rolls it back$/);
    });

    test('the end of a run and what it starts are one transaction, and so are its start and the delivery', async (t) => {
      const { store, deploy, tick, look, delivered, chains } = await setUp(t);
      const dies = async () => {
        throw new Error('killed');
      };
      await assert.rejects(deploy('r1', {}, DONE, dies), /killed/);
      assert.deepEqual(await chains('r1'), []);
      await deploy('r1', {}, DONE);
      tick(30 * MINUTE);
      const lazily: Store['lazily'] = (work) =>
        store.lazily(async (tables) => {
          await work(tables);
          return await dies();
        });
      await look({ ...store, lazily });
      assert.deepEqual([await delivered(), await chains('r1')], [[], ['production waiting']]);
      await look();
      assert.equal((await delivered()).length, 1);
    });
  });
}
