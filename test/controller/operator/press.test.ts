import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createApprovers } from '../../../src/controller/operator/approvers.ts';
import { createGates } from '../../../src/controller/operator/gates.ts';
import { createOperate } from '../../../src/controller/operator/operate.ts';
import { createPressed } from '../../../src/controller/operator/press.ts';
import type { CheckCallback } from '../../../src/callbacks/check.ts';
import type { SlackReplyCallback } from '../../../src/callbacks/slack-reply.ts';
import type { Permit } from '../../../src/github/may-do.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { RetryableError } from '../../../src/lib/errors.ts';
import type { CheckEvent, MessagePressEvent, Press } from '../../../src/model/event.ts';
import type { ApproveGate } from '../../../src/model/gate.ts';
import type { News } from '../../../src/model/news.ts';
import { PRESSES } from '../../../src/model/event.ts';
import type { RunCommand } from '../../../src/model/run-state.ts';
import { RUN_STATES, type Run } from '../../../src/model/run.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import type { Store } from '../../../src/store/index.ts';
import type { AnyNotify } from '../../../src/spec/notify/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { audited } from '../../support/audited.ts';

const REPOSITORY = 'acme/storefront';
const CHECK = 7;
/** When a run was made by a clock that was set back before its buttons are pressed. */
const AHEAD = 5000;
const CHANNEL = 'C0123456789';
const MESSAGE = '1700000000.000001';
const BUTTONS: AnyNotify = {
  kind: 'slack-app',
  on: [...RUN_STATES],
  token: 'BOT',
  channel: CHANNEL,
  text: undefined,
  steps: false,
  buttons: 'slack-buttons',
};
const APPROVE: ApproveGate = {
  kind: 'approve',
  from: ['alice'],
  count: 1,
  notAuthor: false,
  timeoutMs: undefined,
};

for (const [engine, open] of bothEngines()) {
  describe(`the buttons of check runs on ${engine}`, () => {
    async function setUp(t: TestContext, gates: ApproveGate[] = [], createdAt = 1000) {
      const store = await open(t);
      const loaded = sampleLoaded({ gates, feedback: ['check'], notify: [BUTTONS] });
      const clock = { now: () => 1000, elapsed: () => 1000, sleep: async () => undefined };
      const specOf = async () => loaded.spec;
      const news = createBroadcast<News>();
      const feedback = 'app';
      const transitions = createTransitions({
        store,
        specOf,
        clock,
        news,
        publicUrl: undefined,
        feedback,
      });
      const operateOn = (on: Store) =>
        createOperate({
          store: on,
          catalog: { byName: () => undefined },
          transitions,
          specOf,
          clock,
        });
      const people = { isMember: async () => false, committers: async () => [] };
      const permissions: Record<string, Permit['permission'] | 'away'> = {
        alice: 'write',
        bob: 'admin',
        eve: 'read',
      };
      let failing = false;
      const pressed = createPressed({
        store: {
          ...store,
          atomically: (work) =>
            store.atomically(async (tables) => {
              const result = await work(tables);
              if (failing) throw new RetryableError('store-away', 'the database is away');
              return result;
            }),
        },
        transitions,
        operateOn,
        gatesOn: (on: Store) =>
          createGates({
            store: on,
            transitions,
            specOf,
            approvers: createApprovers({ store, people }),
            clock,
          }),
        specOf,
        async mayDo(_repository, login) {
          const permission = permissions[login] ?? 'none';
          if (permission === 'away') throw new RetryableError('github-unavailable', 'answered 502');
          const allowed = permission === 'write' || permission === 'admin';
          return { allowed, permission, needed: 'write' };
        },
        clock,
      });
      let deliveries = 0;
      async function deliver(event: CheckEvent | MessagePressEvent) {
        deliveries += 1;
        const id = `press-${deliveries}`;
        await store.accept(sampleDelivery(id, { event: 'check_run' }));
        const claimed = await store.inbox.claim(1000, 60_000);
        assert.equal(claimed?.delivery.id, id);
        const again = () => pressed(claimed.delivery, event);
        const { summary } = await again();
        assert.equal((await store.inbox.get(id))?.delivery?.state ?? 'processed', 'processed');
        return { summary, again };
      }
      return {
        store,
        transitions,
        operate: operateOn(store),
        permissions,
        fail: (on: boolean) => (failing = on),
        /** A run with a check run, moved on by the commands. */
        async run(id: string, sha: string, ...commands: RunCommand[]): Promise<Run> {
          const planned = sampleRun(id, { sha, delivery: `d-${id}`, createdAt });
          const [made] = await store.atomically((tables) =>
            transitions.create(tables, planned, loaded),
          );
          assert.ok(made);
          await store.outbox.setNumber(`check:${id}`, id, CHECK);
          await store.outbox.setNumber(`slack-app:${id}:0`, id, 1_700_000_000_000_001);
          let run = made;
          for (const command of commands) run = await transitions.commit(run, command);
          return run;
        },
        /** What a delivery of this press comes to, and the delivery as it is then. */
        async press(press: Press, run: Pick<Run, 'id' | 'sha'>, more: Partial<CheckEvent> = {}) {
          return await deliver({
            kind: 'check',
            repository: REPOSITORY,
            press,
            by: 'alice',
            commit: run.sha,
            checkRun: { id: CHECK, run: run.id },
            ...more,
          });
        },
        /** The same of a button of the run's message in Slack. */
        async tap(press: Press, run: string, more: Partial<MessagePressEvent> = {}) {
          return await deliver({
            kind: 'message-press',
            press,
            hook: 'slack-buttons',
            user: 'U0000000001',
            by: { login: 'alice' },
            of: { run, notify: 0 },
            channel: CHANNEL,
            message: MESSAGE,
            ...more,
          });
        },
        /** What was said to those alone who pressed a button of the run's message. */
        async replies(run: string) {
          const told = (await store.outbox.ofRun(run)).map(({ callback }) => callback);
          return told.flatMap((one) =>
            one.kind === 'slack-reply' ? [(one as SlackReplyCallback).text] : [],
          );
        },
        runs: async () =>
          (await store.runs.list({ limit: 50, before: undefined }, {})).items.map(
            ({ id, state, cause, sha }) => ({ id, state, cause, sha }),
          ),
        audit: async () =>
          (await audited(store, 20)).map(({ actor, action, subject }) =>
            `${actor} ${action} ${subject}`.trim(),
          ),
        /** What the run's check run is to say last. */
        async note(run: string) {
          const told = (await store.outbox.ofRun(run)).map(({ callback }) => callback);
          return (told.findLast(({ kind }) => kind === 'check') as CheckCallback | undefined)?.note;
        },
      };
    }

    const START: RunCommand = { type: 'start' };
    const SUCCEED: RunCommand = { type: 'succeed', outputs: {} };
    const sha = (digit: string) => digit.repeat(40);

    test('each does what it says, once, in the name of who pressed it', async (t) => {
      const world = await setUp(t);
      const one = await world.run('r1', sha('1'), START, SUCCEED);
      const two = await world.run('r2', sha('2'), START, SUCCEED);
      await world.press('rollback', two);
      const [back] = await world.runs();
      assert.partialDeepStrictEqual(back, { cause: 'rollback', sha: one.sha });
      assert.ok(back);
      await world.store.outbox.setNumber(`check:${back.id}`, back.id, CHECK);
      await world.press('cancel', back);
      assert.equal((await world.store.runs.get(back.id))?.state, 'cancelled');
      await world.press('retry', two, { by: 'bob' });
      // With the time, so that GitHub's body of the next press is another one and counts.
      assert.equal(await world.note('r2'), '@bob asked to retry r2 (1970-01-01T00:00:01.000Z)');
      assert.partialDeepStrictEqual((await world.runs())[0], { cause: 'retry', sha: two.sha });
      assert.deepEqual((await world.audit()).toReversed(), [
        'github:alice run.rollback r2',
        `github:alice run.cancel ${back.id}`,
        'github:bob run.retry r2',
      ]);
    });

    test('without write permission each is refused: politely on the check run, in the audit, and nothing else (G12)', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      const before = await world.runs();
      for (const press of PRESSES) {
        for (const by of ['eve', 'stranger']) {
          const { summary } = await world.press(press, run, { by });
          assert.match(summary, /^Not done: @(eve|stranger) may not/);
          assert.match((await world.note('r1')) ?? '', /needs the permission "write"/);
        }
      }
      assert.deepEqual(await world.runs(), before);
      const audit = await world.audit();
      assert.equal(audit.length, 2 * PRESSES.length);
      assert.ok(audit.every((line) => line.includes('.refused r1')));
    });

    test('a press that names another run, commit, repository or check run does nothing but land in the audit (G12)', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      const before = await world.runs();
      const callbacks = (await world.store.outbox.ofRun('r1')).length;
      const forged: Partial<CheckEvent>[] = [
        { checkRun: { id: 8, run: 'r1' } },
        { commit: sha('2') },
        { repository: 'acme/other' },
        { checkRun: { id: CHECK, run: 'r9' } },
      ];
      for (const more of forged) {
        const { summary } = await world.press('retry', run, more);
        assert.match(
          summary,
          /^Not done: (check run \d+ of acme\/\w+ is not|it is the check run of no)/,
        );
      }
      assert.deepEqual(await world.runs(), before);
      assert.equal((await world.store.outbox.ofRun('r1')).length, callbacks);
      assert.deepEqual(await world.audit(), Array(3).fill('github:alice run.retry.refused r1'));
    });

    test('what cannot be done is said on the check run', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      await world.press('rollback', run);
      assert.match((await world.note('r1')) ?? '', /^@alice asked to roll back: /);
      await world.press('cancel', run);
      assert.match((await world.note('r1')) ?? '', /^@alice asked to cancel: /);
      assert.equal((await world.runs()).length, 1);
    });

    test('a run that waits for approval is approved by those who may, and rejected, also when the clock was ahead as it was made', async (t) => {
      const world = await setUp(t, [APPROVE], AHEAD);
      const run = await world.run('r1', sha('1'));
      assert.equal(run.state, 'blocked');
      await world.press('approve', run, { by: 'bob' });
      assert.match((await world.note('r1')) ?? '', /^@bob asked to approve: /);
      assert.equal((await world.store.runs.get('r1'))?.state, 'blocked');
      await world.press('approve', run);
      assert.equal((await world.store.runs.get('r1'))?.state, 'queued');
      const other = await world.run('r2', sha('2'));
      await world.press('reject', other);
      assert.equal((await world.store.runs.get('r2'))?.state, 'cancelled');
      assert.deepEqual(
        (await world.audit()).toReversed().map((line) => line.replace('github:', '')),
        ['bob run.approve.refused r1', 'alice run.approve r1', 'alice run.reject r2'],
      );
    });

    test('a press whose process dies before its commit leaves nothing, and done again it is done once', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      world.fail(true);
      await assert.rejects(world.press('retry', run), { code: 'store-away' });
      assert.equal((await world.runs()).length, 1);
      assert.deepEqual(await world.audit(), []);
      world.fail(false);
      await world.store.inbox.releaseAll();
      const claimed = await world.store.inbox.claim(1000, 60_000);
      assert.equal(claimed?.delivery.id, 'press-1');
    });

    test('a delivery that another process has taken is not answered twice', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      const { again } = await world.press('retry', run);
      await assert.rejects(again(), { code: 'delivery-lost' });
      assert.equal((await world.runs()).length, 2);
      assert.deepEqual(await world.audit(), ['github:alice run.retry r1']);
    });

    test('while GitHub does not say who may, nothing is done and nothing is closed', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      world.permissions['alice'] = 'away';
      await assert.rejects(world.press('retry', run), { code: 'github-unavailable' });
      assert.equal((await world.runs()).length, 1);
    });

    test('"Re-run all checks" retries the newest run of each spec of that commit', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, SUCCEED);
      await world.press('retry', run, { checkRun: undefined });
      assert.equal((await world.runs()).length, 2);
      // The new one has not ended.
      const { summary } = await world.press('retry', run, { checkRun: undefined });
      assert.match(summary, /no run of 1111111 that has ended/);
      assert.equal((await world.runs()).length, 2);
    });

    test('the buttons of a message do the same, once, in the name of the GitHub user', async (t) => {
      const world = await setUp(t, [APPROVE], AHEAD);
      await world.run('r1', sha('1'));
      const { summary, again } = await world.tap('approve', 'r1');
      assert.equal(summary, "@alice (Slack's U0000000001) asked to approve r1");
      assert.equal((await world.store.runs.get('r1'))?.state, 'queued');
      await assert.rejects(again(), { code: 'delivery-lost' });
      await world.run('r2', sha('2'));
      await world.tap('reject', 'r2');
      assert.equal((await world.store.runs.get('r2'))?.state, 'cancelled');
      await world.tap('retry', 'r2');
      assert.partialDeepStrictEqual((await world.runs())[0], { cause: 'retry', sha: sha('2') });
      assert.deepEqual((await world.audit()).toReversed(), [
        'github:alice run.approve r1',
        'github:alice run.reject r2',
        'github:alice run.retry r2',
      ]);
      // Of what was done the message itself tells.
      assert.deepEqual([...(await world.replies('r1')), ...(await world.replies('r2'))], []);
    });

    test('those who may not are told why, alone, and it is in the audit (G12)', async (t) => {
      const world = await setUp(t, [APPROVE]);
      await world.run('r1', sha('1'));
      const unknown = 'the hook slack-buttons names no GitHub user for them';
      await world.tap('approve', 'r1', { by: { unknown } });
      await world.tap('cancel', 'r1', { by: { login: 'eve' } });
      await world.tap('approve', 'r1', { by: { login: 'eve' } });
      await world.tap('approve', 'r1', { by: { login: 'bob' } });
      assert.equal((await world.store.runs.get('r1'))?.state, 'blocked');
      const bob = "@bob (Slack's U0000000001) asked to approve: bob may not approve run r1:";
      assert.deepEqual(
        (await world.replies('r1')).map((text) => text.replace(/, and GitHub says .*/, '')),
        [
          `Slack's U0000000001 may not approve: ${unknown}`,
          'run r1 is blocked: it has no button "Cancel" any more',
          `@eve (Slack's U0000000001) may not approve: that needs the permission "write" on ${REPOSITORY}`,
          `${bob} it is for alice`,
        ],
      );
      assert.equal(await world.note('r1'), undefined);
      assert.deepEqual((await world.audit()).toReversed(), [
        'slack:U0000000001 run.approve.refused r1',
        'github:eve run.cancel.refused r1',
        'github:eve run.approve.refused r1',
        'github:bob run.approve.refused r1',
      ]);
    });

    test('what a button says of itself decides nothing: its message has to be the one of the run', async (t) => {
      const world = await setUp(t, [APPROVE]);
      await world.run('r1', sha('1'));
      const forged: Partial<MessagePressEvent>[] = [
        { message: '1700000000.000002' },
        { channel: 'C9999999999' },
        { hook: 'other' },
        { of: { run: 'r1', notify: 1 } },
        { of: { run: 'r9', notify: 0 } },
      ];
      for (const more of forged) {
        const { summary } = await world.tap('approve', 'r1', more);
        assert.match(
          summary,
          /^Not done: (message [\d.]+ in C\d+ is not that of run r1|it is .* of no)/,
        );
      }
      assert.equal((await world.store.runs.get('r1'))?.state, 'blocked');
      assert.deepEqual(await world.audit(), Array(4).fill('github:alice run.approve.refused r1'));
    });

    test('a press that is done late approves nothing that a step wants to do since', async (t) => {
      const world = await setUp(t);
      const run = await world.run('r1', sha('1'), START, { type: 'park', reason: 'Waiting' });
      const plan = { step: 0, id: 'plan2', since: 2000, detail: 'Infra: 9 to destroy' };
      await world.store.gates.holdStep('r1', plan);
      const why =
        /^Not done: @alice .* waits for another approval than when it was asked for: Infra/;
      assert.match((await world.tap('approve', 'r1')).summary, why);
      assert.match((await world.press('approve', run)).summary, why);
    });

    test('a button of a run after which another was deployed rolls nothing back, and says where to', async (t) => {
      const world = await setUp(t);
      await world.run('r1', sha('1'), START, SUCCEED);
      const two = await world.run('r2', sha('2'), START, SUCCEED);
      await world.run('r3', sha('3'), START, SUCCEED);
      const before = await world.runs();
      const why =
        'run r3 (3333333) is deployed now, after run r2: roll back at that run, or with "mainsheet rollback storefront"';
      await world.tap('rollback', 'r2');
      const name = "@alice (Slack's U0000000001)";
      assert.deepEqual(await world.replies('r2'), [`${name} asked to roll back: ${why}`]);
      await world.press('rollback', two);
      assert.equal(
        await world.note('r2'),
        `@alice asked to roll back: ${why} (1970-01-01T00:00:01.000Z)`,
      );
      assert.deepEqual(await world.runs(), before);
      // What has failed after it is rolled back to what is deployed.
      await world.run('r4', sha('4'), START, { type: 'fail', fault: 'step', reason: 'x' });
      await world.tap('rollback', 'r4');
      assert.partialDeepStrictEqual((await world.runs())[0], { cause: 'rollback', sha: sha('3') });
    });

    test('Roll back of a run that is a rollback goes to what the rollback of its spec goes to, never to what it went back from', async (t) => {
      for (const way of ['press', 'tap', 'run', 'spec'] as const) {
        const world = await setUp(t);
        const { store, operate, transitions } = world;
        for (const digit of ['1', '2', '3']) {
          await world.run(`r${digit}`, sha(digit), START, SUCCEED);
        }
        const { run } = await operate.rollback('r3', 'me', { resume: true });
        await transitions.commit(await transitions.commit(run, START), SUCCEED);
        assert.equal(run.sha, sha('2'));
        assert.deepEqual((await store.runs.standingBefore(run))[0]?.sha, sha('1'));
        await store.outbox.setNumber(`check:${run.id}`, run.id, CHECK);
        await store.outbox.setNumber(`slack-app:${run.id}:0`, run.id, 1_700_000_000_000_001);
        if (way === 'press') await world.press('rollback', run);
        else if (way === 'tap') await world.tap('rollback', run.id);
        else if (way === 'run') await operate.rollback(run.id, 'me');
        else await operate.rollbackSpec(run.spec, 'me');
        const [made] = await world.runs();
        assert.partialDeepStrictEqual(made, { cause: 'rollback', sha: sha('1') }, way);
      }
    });

    test('a button that is pressed twice makes one run, which the second press names', async (t) => {
      const world = await setUp(t);
      await world.run('r1', sha('1'), START, SUCCEED);
      const two = await world.run('r2', sha('2'), START, SUCCEED);
      for (const [press, does] of [
        ['retry', 'retries run r2 already'],
        ['rollback', 'rolls back already'],
      ] as const) {
        const count = (await world.runs()).length + 1;
        await world.tap(press, 'r2');
        const made = (await world.runs())[0];
        for (const again of [() => world.tap(press, 'r2'), () => world.press(press, two)]) {
          const { summary } = await again();
          assert.ok(summary.endsWith(`: run ${made?.id} ${does}: it is queued`), summary);
        }
        assert.equal((await world.runs()).length, count);
        const run = await world.store.runs.get(made?.id ?? '');
        assert.ok(run);
        await world.transitions.commit(run, { type: 'cancel', reason: 'enough' });
      }
      await world.tap('retry', 'r2');
      assert.equal((await world.runs())[0]?.cause, 'retry');
    });

    test('a press on a message from before does nothing once the run has gone on', async (t) => {
      const world = await setUp(t, [APPROVE]);
      await world.run('r1', sha('1'));
      await world.tap('approve', 'r1');
      for (const press of ['approve', 'reject', 'retry', 'rollback'] as const) {
        const { summary } = await world.tap(press, 'r1');
        assert.match(summary, /^Not done: run r1 is queued: it has no button ".*" any more$/);
      }
      await world.tap('cancel', 'r1');
      assert.match((await world.tap('cancel', 'r1')).summary, /^Not done: run r1 is cancelled/);
      assert.equal((await world.runs()).length, 1);
      assert.equal((await world.replies('r1')).length, 5);
    });
  });
}
