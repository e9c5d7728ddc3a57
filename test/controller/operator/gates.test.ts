import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createApprovers } from '../../../src/controller/operator/approvers.ts';
import { createGateLoop } from '../../../src/controller/operator/gate-loop.ts';
import { createGates, type Person } from '../../../src/controller/operator/gates.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { kindOf } from '../../../src/callbacks/index.ts';
import type { DeploymentSpec, StepSpec } from '../../../src/model/deployment-spec.ts';
import type { StepGate } from '../../../src/model/step-gate.ts';
import type { ApproveGate, Gate } from '../../../src/model/gate.ts';
import type { News } from '../../../src/model/news.ts';
import type { NewRun, Run } from '../../../src/model/run.ts';
import { stepGateOf } from '../../../src/runs/waits.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { audited } from '../../support/audited.ts';

const MINUTE = 60_000;
const MONDAY = Date.parse('2026-11-30T07:59Z');
const APPROVE: ApproveGate = {
  kind: 'approve',
  from: ['alice', 'bob', 'team:acme/release'],
  count: 2,
  notAuthor: false,
  timeoutMs: undefined,
};
const WINDOW: Gate = {
  kind: 'window',
  allow: [{ kind: 'weekly', days: [1], from: 9 * 60, to: 10 * 60, text: 'Mon 09:00-10:00' }],
  deny: [],
  timeZone: 'Europe/Berlin',
};
const person = (login: string): Person => ({ login });
const ADMIN: Person = { administrator: 'admin' };

for (const [engine, open] of bothEngines()) {
  describe(`gates on ${engine}`, () => {
    async function setUp(t: TestContext, gates: Gate[], more: Partial<DeploymentSpec> = {}) {
      const store = await open(t);
      const loaded = sampleLoaded({ gates, ...more });
      let now = MONDAY;
      const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
      const specOf = async () => loaded.spec;
      const transitions = createTransitions({
        store,
        specOf,
        clock,
        news: createBroadcast<News>(),
        publicUrl: undefined,
        feedback: 'app',
      });
      const asked: string[] = [];
      const approvers = createApprovers({
        store,
        people: {
          async isMember(_repository, { org, slug }, login) {
            asked.push(`${org}/${slug} ${login}`);
            return login === 'carol';
          },
          committers: async () => ['dave'],
        },
      });
      const operator = createGates({ store, transitions, specOf, approvers, clock });
      const create = async (id: string, run: Partial<NewRun> = {}) => {
        const planned = sampleRun(id, { createdAt: now, ...run });
        const changed = await store.atomically((tables) =>
          transitions.create(tables, planned, loaded),
        );
        return changed[0];
      };
      const get = async (id: string): Promise<Run> => {
        const run = await store.runs.get(id);
        assert.ok(run);
        return run;
      };
      return {
        store,
        operator,
        transitions,
        create,
        get,
        asked,
        tick: (ms: number) => (now += ms),
        /** One look of the loop. */
        async look() {
          const stopping = new AbortController();
          const loop = createGateLoop({
            store,
            transitions,
            clock: { ...clock, now: () => (stopping.abort(), now) },
            logger: silentLogger,
          });
          await loop.run(stopping.signal);
        },
        /** As the runner does it. */
        claim: () =>
          store.atomically(async (tables) => {
            const next = await tables.runs.nextRunnable(now);
            if (next === undefined) return undefined;
            const stopped = await transitions.stopAtGate(tables, next);
            if (stopped !== undefined) return stopped;
            assert.ok(await tables.runs.own(next.id, 'me', now + MINUTE, now));
            return await transitions.apply(tables, next, { type: 'start' }, 'me');
          }),
        audit: async () =>
          (await audited(store, 10)).map(({ actor, action, detail }) =>
            `${actor} ${action} ${detail}`.trim(),
          ),
      };
    }

    test('a run waits until enough people have approved, each counted once, and then starts in its turn', async (t) => {
      const { store, operator, create, claim, get, audit } = await setUp(t, [APPROVE]);
      assert.equal((await create('r1'))?.state, 'blocked');
      assert.equal(await claim(), undefined);
      await operator.approve('r1', person('alice'), 'looks good');
      const again = await operator.approve('r1', person('Alice'), 'really');
      assert.equal(
        again.reason,
        'Waiting for 1 approval by alice, bob, team:acme/release (1 of 2: alice)',
      );
      assert.equal(await claim(), undefined);
      assert.equal((await operator.approve('r1', person('bob'), '')).state, 'queued');
      assert.equal((await claim())?.id, 'r1');
      assert.equal((await get('r1')).state, 'running');
      assert.deepEqual(await audit(), [
        'github:bob run.approve',
        'github:alice run.approve looks good',
      ]);
      assert.equal((await store.gates.answersTo('r1')).length, 2);
    });

    test('an approval is for that run alone, also of the same revision', async (t) => {
      const { operator, create, claim } = await setUp(t, [{ ...APPROVE, count: 1 }], {
        concurrency: { lane: 'main', queue: 'all', cancelRunning: false },
      });
      await create('r1');
      await create('r2');
      await operator.approve('r2', person('alice'), '');
      assert.equal(await claim(), undefined, 'the first has its turn first');
      await operator.approve('r1', person('alice'), '');
      assert.equal((await claim())?.id, 'r1');
    });

    test('the newest run takes the place of one that waits for approval, which can be approved no more', async (t) => {
      const { operator, create, get } = await setUp(t, [APPROVE]);
      await create('r1');
      await operator.approve('r1', person('alice'), '');
      await create('r2', { sha: 'b'.repeat(40) });
      assert.equal((await get('r1')).state, 'superseded');
      await assert.rejects(operator.approve('r1', person('bob'), ''), {
        code: 'illegal-transition',
      });
      assert.match((await get('r2')).reason, /^Waiting for 2 approvals/);
    });

    test('who is neither named nor in a team that is changes nothing, and that is written down', async (t) => {
      const { store, operator, create, get, asked, audit } = await setUp(t, [APPROVE]);
      await create('r1');
      const before = await get('r1');
      for (const act of ['approve', 'reject'] as const) {
        await assert.rejects(operator[act]('r1', person('mallory'), ''), {
          code: 'not-an-approver',
          message: `mallory may not ${act} run r1: it is for alice, bob, team:acme/release`,
        });
      }
      await operator.approve('r1', person('carol'), '');
      assert.deepEqual(await get('r1').then(({ state }) => state), before.state);
      assert.deepEqual(asked, [
        'acme/release mallory',
        'acme/release mallory',
        'acme/release carol',
      ]);
      assert.deepEqual(await audit(), [
        'github:carol run.approve',
        'github:mallory run.reject.refused it is for alice, bob, team:acme/release',
        'github:mallory run.approve.refused it is for alice, bob, team:acme/release',
      ]);
      assert.equal((await store.gates.answersTo('r1')).length, 1);
    });

    test('where authors do not count, neither committer, sender nor who asked for the run may approve', async (t) => {
      const gate: ApproveGate = { ...APPROVE, from: [], count: 1, notAuthor: true };
      const { store, operator, create, get } = await setUp(t, [gate]);
      const payload = {
        sender: { login: 'Sender' },
        commits: [{ author: { username: 'author' }, committer: { username: 'web-flow' } }],
      };
      await store.accept(sampleDelivery('d1', { payload: JSON.stringify(payload) }));
      await create('r1', { delivery: 'd1' });
      await store.runs.setAskedBy('r1', 'github:operator');
      for (const login of ['sender', 'AUTHOR', 'dave', 'operator']) {
        await assert.rejects(operator.approve('r1', person(login), ''), {
          code: 'not-an-approver',
        });
      }
      await assert.rejects(operator.approve('r1', { administrator: 'operator' }, ''), {
        code: 'not-an-approver',
      });
      await operator.approve('r1', person('alice'), '');
      assert.equal((await get('r1')).state, 'queued');
    });

    test('those do not count either who made what a batch has gathered, or what started the run before it', async (t) => {
      const gate: ApproveGate = { ...APPROVE, from: [], count: 1, notAuthor: true };
      const { store, operator, create } = await setUp(t, [gate]);
      for (const by of ['first', 'second']) {
        const commits = [{ author: { username: `${by}-author` } }];
        const payload = JSON.stringify({ sender: { login: by }, commits });
        await store.accept(sampleDelivery(by, { payload }));
      }
      await create('staging', { delivery: 'second', lane: 'staging', batch: 'staging' });
      await store.batches.begin({
        run: 'staging',
        spec: 'storefront',
        lane: 'staging',
        key: '',
        closesAt: 1,
      });
      for (const by of ['first', 'second']) {
        await store.batches.add('staging', 'storefront', by, 1);
      }
      await store.batches.close('staging', 2);
      await store.runs.setAskedBy('staging', 'github:promoter');
      await store.chains.add([{ run: 'staging', spec: 'production', dueAt: 1 }]);
      await store.chains.end(
        { run: 'staging', spec: 'production' },
        { state: 'started', delivery: 'chained' },
      );
      await store.accept(sampleDelivery('chained'));
      await create('production', { delivery: 'chained', lane: 'production' });
      // A batch of promotions, of which it has the newest's delivery.
      await store.accept(sampleDelivery('newer'));
      await create('gathered', { delivery: 'newer', lane: 'gathered', batch: 'gathered' });
      const all = { run: 'gathered', spec: 'canary', lane: 'gathered', key: '', closesAt: 1 };
      await store.batches.begin(all);
      for (const one of ['chained', 'newer']) await store.batches.add('gathered', 'canary', one, 1);
      await store.batches.close('gathered', 2);
      const refused = { code: 'not-an-approver' };
      for (const run of ['staging', 'production', 'gathered']) {
        for (const login of ['first', 'first-author', 'second', 'second-author', 'promoter']) {
          await assert.rejects(
            operator.approve(run, person(login), ''),
            refused,
            `${run} ${login}`,
          );
        }
      }
      await operator.approve('production', person('alice'), '');
    });

    test('a rejected run is cancelled and says by whom and why', async (t) => {
      const { operator, create } = await setUp(t, [APPROVE]);
      await create('r1');
      const run = await operator.reject('r1', person('bob'), 'not\nbefore Monday');
      assert.equal(run.state, 'cancelled');
      assert.equal(run.reason, 'Rejected by bob: not before Monday');
    });

    test('an administrator counts as one person, for every gate', async (t) => {
      const { operator, create } = await setUp(t, [APPROVE]);
      await create('r1');
      await operator.approve('r1', ADMIN, '');
      const run = await operator.approve('r1', ADMIN, '');
      assert.match(run.reason, /\(1 of 2: admin\)$/);
    });

    test('what is not approved in time is cancelled', async (t) => {
      const { create, get, look, tick } = await setUp(t, [{ ...APPROVE, timeoutMs: MINUTE }]);
      await create('r1');
      tick(MINUTE - 1);
      await look();
      assert.equal((await get('r1')).state, 'blocked');
      tick(1);
      await look();
      const { state, reason } = await get('r1');
      assert.equal(state, 'cancelled');
      assert.equal(reason, 'Not approved within 1m 00s by alice, bob, team:acme/release');
    });

    test('a window lets a run go when it opens', async (t) => {
      const { create, get, look, tick, claim } = await setUp(t, [WINDOW]);
      const made = await create('r1');
      assert.equal(made?.reason, 'Outside its window: opens Mon 2026-11-30 09:00 Europe/Berlin');
      await look();
      assert.equal(await claim(), undefined);
      tick(MINUTE);
      await look();
      assert.equal((await get('r1')).state, 'queued');
      assert.equal((await claim())?.state, 'running');
    });

    test('a run whose window closes while it waits in its lane does not start', async (t) => {
      const { create, get, tick, claim } = await setUp(t, [WINDOW]);
      tick(MINUTE);
      assert.equal((await create('r1'))?.state, 'queued');
      tick(60 * MINUTE);
      assert.equal((await claim())?.state, 'blocked');
      assert.match((await get('r1')).reason, /^Outside its window: opens Mon 2026-12-07 09:00/);
      assert.equal(await claim(), undefined);
    });

    test('a window is overridden by an administrator, for a reason that is written down', async (t) => {
      const { operator, create, audit } = await setUp(t, [WINDOW, { ...APPROVE, count: 1 }]);
      await create('r1');
      await assert.rejects(operator.override('r1', ADMIN, ' '), { code: 'reason-missing' });
      await assert.rejects(operator.override('r1', person('alice'), 'please'), {
        code: 'not-an-approver',
      });
      const run = await operator.override('r1', ADMIN, 'the shop is down');
      assert.match(run.reason, /^Waiting for 1 approval/);
      assert.equal((await operator.approve('r1', person('alice'), '')).state, 'queued');
      assert.ok((await audit()).includes('admin run.override the shop is down'));
    });

    test('a pause goes before the gates, and after it they are as they were', async (t) => {
      const { store, operator, transitions, create, get } = await setUp(t, [
        { ...APPROVE, count: 1 },
      ]);
      await store.pauses.add({
        kind: 'lane',
        name: 'main',
        since: MONDAY,
        by: 'admin',
        reason: '',
      });
      await create('r1');
      assert.match((await operator.approve('r1', person('alice'), '')).reason, /^Paused by admin/);
      await store.pauses.remove({ kind: 'lane', name: 'main' });
      const run = await get('r1');
      await store.atomically((tables) => transitions.hold(tables, run));
      assert.equal((await get('r1')).state, 'queued');
    });

    test('people who approve at the same moment are all counted', async (t) => {
      const { operator, create, get } = await setUp(t, [{ ...APPROVE, from: [], count: 8 }]);
      await create('r1');
      const logins = Array.from({ length: 8 }, (_, index) => `person${index}`);
      await Promise.all(logins.map((login) => operator.approve('r1', person(login), '')));
      assert.equal((await get('r1')).state, 'queued');
    });

    test('a run without such a gate takes no answer', async (t) => {
      const { operator, create } = await setUp(t, [WINDOW]);
      await create('r1');
      await assert.rejects(operator.approve('r1', ADMIN, ''), { code: 'no-gate' });
      await assert.rejects(operator.approve('r2', ADMIN, ''), { code: 'run-unknown' });
    });

    test('the view of a run says of each gate whether it is open, and who answered what', async (t) => {
      const { operator, create, get } = await setUp(t, [APPROVE, WINDOW]);
      await create('r1');
      await operator.approve('r1', person('alice'), 'go');
      const [approve, window] = await operator.view(await get('r1'));
      assert.equal(approve?.isOpen, false);
      assert.deepEqual(
        approve?.answers.map(({ person: by, reason }) => [by, reason]),
        [['github:alice', 'go']],
      );
      assert.equal(window?.detail, 'Outside its window: opens Mon 2026-11-30 09:00 Europe/Berlin');
    });

    describe('in the middle of a run', () => {
      const ASKS: ApproveGate = { ...APPROVE, from: ['alice', 'bob'], count: 1 };
      const PLAN: StepGate = { step: 0, id: 'plan1', since: MONDAY, detail: 'Infra: 1 to add' };

      /** A run whose first step, which asks people, is at work. */
      async function begin(
        t: TestContext,
        asks: Partial<ApproveGate> = {},
        more: Partial<DeploymentSpec> = {},
      ) {
        const { steps } = sampleLoaded().spec;
        const gated: StepSpec = {
          ...(steps[0] as StepSpec),
          kind: 'terraform',
          approval: { when: 'changes', gate: { ...ASKS, ...asks } },
        };
        const all = await setUp(t, more.gates ?? [], { steps: [gated], ...more });
        await all.create('r1');
        const { store, transitions } = all;
        return {
          ...all,
          /** As the runner does it when the step waits. */
          async park(gate = PLAN) {
            const [step] = await store.steps.ofRun('r1');
            assert.ok(step);
            const kept = { ...step, attempts: 1, kept: gate.id };
            return await transitions.park(await all.get('r1'), 'me', { step: kept, gate });
          },
          /** What the run may go on with. */
          async open() {
            const found = await stepGateOf(store, await all.get('r1'), [gated], MONDAY);
            return found?.verdict.isOpen === true ? found.held.id : undefined;
          },
        };
      }

      test('its lane is free for other specs, and it goes on once people have approved', async (t) => {
        const { store, operator, claim, park, open, get } = await begin(t);
        await claim();
        const parked = await park();
        assert.equal(parked.state, 'blocked');
        assert.equal(parked.reason, 'Waiting for 1 approval by alice, bob: Infra: 1 to add');
        assert.equal((await store.steps.ofRun('r1'))[0]?.kept, 'plan1');
        const told = (await store.outbox.ofRun('r1')).map(({ callback }) => callback);
        assert.deepEqual(
          told.slice(-2).map((callback) => kindOf(callback).tells(callback)),
          ['pending', 'queued'],
        );
        assert.equal(await claim(), undefined);
        assert.equal(await open(), undefined);
        await operator.approve('r1', person('alice'), '');
        assert.equal((await claim())?.attempts, 2);
        assert.equal(await open(), 'plan1');
        const [gate] = await operator.view(await get('r1'));
        assert.equal(gate?.detail, 'Approved by alice: Infra: 1 to add');
      });

      test('an approval of the start, or of an earlier plan, does not count', async (t) => {
        const { store, operator, claim, park, open } = await begin(t, {}, { gates: [ASKS] });
        await operator.approve('r1', person('alice'), '');
        await claim();
        await park();
        await operator.approve('r1', person('alice'), '');
        await claim();
        await park({ ...PLAN, id: 'plan2' });
        assert.equal(await claim(), undefined);
        assert.equal(await open(), undefined);
        // Asked for before there was the plan, and done only now.
        await assert.rejects(operator.approve('r1', person('alice'), '', PLAN.since - 1), {
          code: 'illegal-transition',
        });
        assert.equal(await open(), undefined);
        await operator.approve('r1', person('alice'), '', PLAN.since);
        assert.equal(await open(), 'plan2');
        assert.equal((await store.gates.answersTo('r1')).length, 3);
      });

      test('who may not approve it changes nothing; who may can reject it', async (t) => {
        const { operator, claim, park } = await begin(t);
        await claim();
        await park();
        await assert.rejects(operator.approve('r1', person('mallory'), ''), {
          code: 'not-an-approver',
        });
        assert.equal((await operator.reject('r1', person('bob'), '')).reason, 'Rejected by bob');
      });

      test('what is not approved in time, counted from when it was asked, is cancelled', async (t) => {
        const { claim, park, get, look, tick } = await begin(t, { timeoutMs: MINUTE });
        await claim();
        tick(10 * MINUTE);
        await park({ ...PLAN, since: MONDAY + 10 * MINUTE });
        await look();
        assert.equal((await get('r1')).state, 'blocked');
        tick(MINUTE);
        await look();
        assert.equal((await get('r1')).state, 'cancelled');
      });

      test('it waits for its window too before it goes on', async (t) => {
        const { operator, claim, park, get, look, tick } = await begin(t, {}, { gates: [WINDOW] });
        tick(MINUTE);
        await look();
        await claim();
        await park();
        tick(60 * MINUTE);
        await operator.approve('r1', person('alice'), '');
        assert.match((await get('r1')).reason, /^Outside its window/);
        assert.equal(await claim(), undefined);
      });

      test('one that was asked to stop meanwhile is cancelled', async (t) => {
        const { store, claim, park } = await begin(t);
        await claim();
        await store.runs.requestCancel('r1', 'Cancelled by admin');
        assert.equal((await park()).state, 'cancelled');
      });

      test('a newer run takes its place, or waits for it, as the spec says', async (t) => {
        for (const queue of ['newest', 'all'] as const) {
          const concurrency = { lane: 'main', queue, cancelRunning: false };
          const { create, claim, park, get } = await begin(t, {}, { concurrency });
          await claim();
          await park();
          await create('r2', { sha: 'b'.repeat(40) });
          assert.equal((await get('r1')).state, queue === 'newest' ? 'superseded' : 'blocked');
          assert.equal((await claim())?.id, queue === 'newest' ? 'r2' : undefined);
        }
      });

      test('a process that lost the run parks nothing', async (t) => {
        const { store, claim, park, get } = await begin(t);
        await claim();
        await store.runs.release('r1', 'me');
        assert.ok(await store.runs.own('r1', 'other', MONDAY + MINUTE, MONDAY));
        await assert.rejects(park(), { code: 'run-lost' });
        assert.equal((await get('r1')).state, 'running');
        assert.equal(await store.gates.ofStep('r1'), undefined);
      });
    });
  });
}
