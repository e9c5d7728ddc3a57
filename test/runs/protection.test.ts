import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createMakeRuns } from '../../src/controller/intake/make-runs.ts';
import { createGateLoop } from '../../src/controller/operator/gate-loop.ts';
import { createGates } from '../../src/controller/operator/gates.ts';
import type { ProtectionCallback } from '../../src/callbacks/protection.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { MainsheetError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { LoadedSpec } from '../../src/model/deployment-spec.ts';
import type { ProtectionEvent } from '../../src/model/event.ts';
import type { Gate } from '../../src/model/gate.ts';
import type { News } from '../../src/model/news.ts';
import type { Run } from '../../src/model/run.ts';
import { createTransitions } from '../../src/runs/transition.ts';
import { matchSpec } from '../../src/spec/match.ts';
import { bothEngines } from '../support/engines.ts';
import { sampleLoaded } from './samples.ts';

const HOUR = 3_600_000;
const MONDAY = Date.parse('2026-11-30T07:30Z');
const APPROVE: Gate = {
  kind: 'approve',
  from: [],
  count: 1,
  notAuthor: false,
  timeoutMs: undefined,
};
const WINDOW: Gate = {
  kind: 'window',
  allow: [{ kind: 'weekly', days: [1], from: 9 * 60, to: 10 * 60, text: 'Mon 09:00-10:00' }],
  deny: [],
  timeZone: 'Europe/Berlin',
};
const ADMIN = { administrator: 'admin' };
const event = (more: Partial<ProtectionEvent> = {}): ProtectionEvent => ({
  kind: 'deployment_protection_rule',
  repository: 'acme/storefront',
  environment: 'Production',
  trigger: 'push',
  sha: 'b'.repeat(40),
  ref: 'main',
  workflowRun: 42,
  apiUrl: 'https://api.github.com',
  ...more,
});

for (const [engine, open] of bothEngines()) {
  describe(`jobs of Actions on ${engine}`, () => {
    async function setUp(t: TestContext, bySpec: Record<string, Gate[]>) {
      const store = await open(t);
      const specs = Object.entries(bySpec).map(([name, gates]): LoadedSpec => ({
        ...sampleLoaded({ name, gates }),
        digest: name,
      }));
      let now = MONDAY;
      let isReadable = true;
      const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
      const specOf = async (_tables: unknown, digest: string) => {
        const found = specs.find((loaded) => loaded.digest === digest)?.spec;
        if (found !== undefined && isReadable) return found;
        throw new MainsheetError('spec-unreadable', 'gone');
      };
      const transitions = createTransitions({
        store,
        specOf,
        clock,
        news: createBroadcast<News>(),
        publicUrl: 'https://mainsheet.example',
        feedback: 'app',
      });
      const approvers = async () => ({ counted: [0], refused: undefined });
      const makeRuns = createMakeRuns({
        transitions,
        clock,
        rollBack: () => assert.fail('nothing is rolled back here'),
      });
      return {
        store,
        gates: createGates({ store, transitions, specOf, approvers, clock }),
        tick: (ms: number) => (now += ms),
        forgetSpecs: () => (isReadable = false),
        async ask(asked = event(), delivery = 'd1'): Promise<Run[]> {
          const verdicts = specs.map((loaded) => ({
            loaded,
            verdict: matchSpec(loaded.spec, asked, {}),
          }));
          const origin = { delivery, cause: 'event', overtaken: new Map() } as const;
          const made = await store.atomically((tables) =>
            makeRuns(tables, origin, { event: asked, verdicts }),
          );
          return [...made.bySpec.values()];
        },
        /** One look of the loop. */
        async look() {
          const stopping = new AbortController();
          const ending = { ...clock, now: () => (stopping.abort(), now) };
          await createGateLoop({ store, transitions, clock: ending, logger: silentLogger }).run(
            stopping.signal,
          );
        },
        /** What is to be sent, oldest first. */
        async told() {
          const { items } = await store.outbox.list({ limit: 100, before: undefined }, {});
          return items.toReversed().map(({ callback }) => {
            assert.equal(callback.kind, 'protection');
            const { state, comment } = callback as ProtectionCallback;
            return `${state ?? 'waiting'}: ${comment.replace(/ \(https:.*$/, '')}`;
          });
        },
      };
    }

    test('a job goes on by the clock when the window opens, and its run deploys nothing', async (t) => {
      const { ask, tick, look, told, store } = await setUp(t, { shop: [WINDOW] });
      const [run] = await ask();
      assert.equal(run?.state, 'blocked');
      tick(HOUR);
      await look();
      const ended = await store.runs.get(run.id);
      assert.equal(ended?.state, 'succeeded');
      assert.deepEqual(await told(), [
        'waiting: Outside its window&#58; opens Mon 2026-11-30 09&#58;00 Europe/Berlin',
        'approved: The job of Actions may deploy. In its window',
      ]);
      assert.deepEqual(await store.environments.list(), []);
      assert.deepEqual(await store.steps.ofRun(run.id), []);
      const later = { ...ended, id: 'other', sequence: ended.sequence + 1 };
      assert.equal(await store.runs.hasDeployed(later), false);
      assert.equal(await store.runs.lastToDeploy(later), undefined);
    });

    test('of several specs with the environment each has to let the job go on, and one answer is sent', async (t) => {
      const { ask, gates, told } = await setUp(t, { one: [APPROVE], two: [APPROVE] });
      const [first, second] = await ask();
      assert.ok(first && second);
      await gates.approve(first.id, ADMIN, '');
      assert.equal((await told()).filter((text) => text.startsWith('approved')).length, 0);
      await gates.approve(second.id, ADMIN, '');
      assert.equal((await told()).filter((text) => text.startsWith('approved')).length, 1);
    });

    test('one open and one closed spec do not let a job go on as it asks', async (t) => {
      const { ask, tick, told } = await setUp(t, { open: [WINDOW], closed: [APPROVE] });
      tick(HOUR);
      const states = (await ask()).map(({ state }) => state);
      assert.deepEqual(states, ['succeeded', 'blocked']);
      assert.deepEqual(
        (await told()).filter((text) => !text.startsWith('waiting')),
        [],
      );
    });

    test('the first refusal is the answer, and the other specs wait no longer', async (t) => {
      const { ask, gates, told, store } = await setUp(t, { one: [APPROVE], two: [APPROVE] });
      const [first, second] = await ask();
      assert.ok(first && second);
      await gates.reject(first.id, ADMIN, 'not today');
      const other = await store.runs.get(second.id);
      assert.equal(other?.reason, 'Refused by one: Rejected by admin: not today');
      assert.deepEqual(
        (await told()).filter((text) => text.startsWith('rejected')),
        ['rejected: Rejected by admin&#58; not today'],
      );
    });

    test('the code of a pull request goes on only where people have to approve it', async (t) => {
      const { ask, tick } = await setUp(t, { windowed: [WINDOW], approved: [APPROVE] });
      tick(HOUR);
      const runs = await ask(event({ trigger: 'pull_request_target' }));
      assert.deepEqual(
        runs.map(({ spec, state }) => [spec, state]),
        [['approved', 'blocked']],
      );
    });

    test('a job that waits longer than GitHub lets it is refused', async (t) => {
      const { ask, tick, look, told } = await setUp(t, { shop: [APPROVE] });
      await ask();
      tick(30 * 24 * HOUR - 1);
      await look();
      assert.equal((await told()).length, 1);
      tick(1);
      await look();
      assert.match((await told()).at(-1) ?? '', /^rejected: GitHub Actions has waited for 30 days/);
    });

    test('a job whose gates cannot be read any more is refused, never let go on', async (t) => {
      const { ask, forgetSpecs, tick, look, told } = await setUp(t, { shop: [WINDOW] });
      await ask();
      forgetSpecs();
      tick(HOUR);
      await look();
      assert.equal((await told()).at(-1), 'rejected: Its gates cannot be read any more');
    });

    test('a newer job supersedes none that waits', async (t) => {
      const { ask, store } = await setUp(t, { shop: [APPROVE] });
      const [first] = await ask();
      const [second] = await ask(event({ workflowRun: 43 }), 'd2');
      const now = await store.runs.get(first?.id ?? '');
      assert.deepEqual([now?.state, second?.state], ['blocked', 'blocked']);
    });
  });
}
