import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { DeploymentCallback } from '../../../src/callbacks/deployment.ts';
import type { ReplyCallback } from '../../../src/callbacks/reply.ts';
import { createApprovers } from '../../../src/controller/operator/approvers.ts';
import { createCommented } from '../../../src/controller/operator/comments.ts';
import { createDeploy } from '../../../src/controller/operator/deploy.ts';
import { createGates } from '../../../src/controller/operator/gates.ts';
import { createOperate } from '../../../src/controller/operator/operate.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts';
import { COMMANDS, type CommentCommand, type CommentEvent } from '../../../src/model/event.ts';
import type { ApproveGate } from '../../../src/model/gate.ts';
import type { News } from '../../../src/model/news.ts';
import type { RunCommand } from '../../../src/model/run-state.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { audited } from '../../support/audited.ts';

const REPOSITORY = 'acme/storefront';
const HEAD = 'a'.repeat(40);
const OLDER = 'b'.repeat(40);
const FORKED = 'f'.repeat(40);
const APPROVE: ApproveGate = {
  kind: 'approve',
  from: ['alice'],
  count: 1,
  notAuthor: false,
  timeoutMs: undefined,
};

for (const [engine, open] of bothEngines()) {
  describe(`commands in comments on ${engine}`, () => {
    async function setUp(
      t: TestContext,
      { gates = [], comments = true }: { gates?: ApproveGate[]; comments?: boolean } = {},
    ) {
      const store = await open(t);
      const loaded = sampleLoaded({ gates, comments });
      const { spec } = loaded;
      const clock = { now: () => 1000, elapsed: () => 1000, sleep: async () => undefined };
      const news = createBroadcast<News>();
      const specOf = async () => spec;
      const settings = { publicUrl: undefined, feedback: 'app' } as const;
      const transitions = createTransitions({ store, specOf, clock, news, ...settings });
      const people = { isMember: async () => false, committers: async () => [] };
      let head = HEAD;
      let failing = false;
      const commented = createCommented({
        store: {
          ...store,
          atomically: (work) =>
            store.atomically(async (tables) => {
              const result = await work(tables);
              if (failing) throw new RetryableError('store-away', 'the database is away');
              return result;
            }),
        },
        catalog: { forRepository: () => [loaded] },
        operateOn: (on: Store) =>
          createOperate({
            store: on,
            catalog: { byName: () => loaded },
            transitions,
            specOf,
            clock,
          }),
        gatesOn: (on: Store) =>
          createGates({
            store: on,
            transitions,
            specOf,
            approvers: createApprovers({ store, people }),
            clock,
          }),
        deployOn: (on: Store) =>
          createDeploy({
            store: on,
            catalog: { byName: () => loaded },
            mirrors: {
              async findRevision(_repository, name) {
                if (name === HEAD) return { sha: HEAD, ref: 'refs/heads/main' };
                throw new TerminalError('revision-unknown', `no branch or tag leads to ${name}`);
              },
              commit: async () => ({ message: 'm', author: 'a', committer: 'c' }) as never,
            },
            transitions,
            clock,
            news,
          }),
        why: async () => [
          {
            spec: spec.name,
            environment: spec.environment,
            fate: 'never-heard-of',
            summary: 'No delivery names it, @everyone',
            hint: undefined,
            run: undefined,
            delivery: undefined,
            reasons: [],
            says: [],
          },
        ],
        pullRequest: async () => ({ head, merged: undefined }),
        async mayDo(_repository, login) {
          const permission = login === 'eve' ? 'read' : 'write';
          return { allowed: login !== 'eve', permission, needed: 'write' };
        },
        clock,
      });
      let count = 0;
      return {
        store,
        spec,
        fail: (on: boolean) => (failing = on),
        forked: () => (head = FORKED),
        async run(id: string, sha: string, ...commands: RunCommand[]) {
          const planned = sampleRun(id, { sha, delivery: `d-${id}`, spec: spec.name });
          const [made] = await store.atomically((tables) =>
            transitions.create(tables, planned, loaded),
          );
          assert.ok(made);
          let run = made;
          for (const command of commands) run = await transitions.commit(run, command);
        },
        async say(
          name: CommentCommand['name'],
          more: Partial<CommentCommand> = {},
          how: Partial<Pick<CommentEvent, 'by' | 'on' | 'isEdited' | 'writtenAt'>> = {},
          receivedAt?: number,
        ) {
          count += 1;
          const id = `comment-${count}`;
          await store.accept(sampleDelivery(id, { event: 'issue_comment' }));
          const claimed = await store.inbox.claim(1000, 60_000);
          assert.equal(claimed?.delivery.id, id);
          const again = () =>
            commented(
              { ...claimed.delivery, ...(receivedAt && { receivedAt }) },
              {
                kind: 'comment',
                repository: REPOSITORY,
                by: 'alice',
                comment: count,
                writtenAt: 1000,
                on: { pull: 12 },
                isEdited: false,
                ...how,
                command: {
                  name,
                  target: undefined,
                  revision: undefined,
                  reason: undefined,
                  ...more,
                },
              },
            );
          return { again, id };
        },
        runs: async () =>
          (await store.runs.list({ limit: 50, before: undefined }, {})).items.map(
            ({ state, cause }) => `${cause} ${state}`,
          ),
        audit: async () =>
          (await audited(store, 20)).map(({ actor, action }) => `${actor} ${action}`),
        async replies() {
          const { items } = await store.outbox.list({ limit: 50, before: undefined }, {});
          return items
            .map(({ callback }) => callback)
            .filter(({ kind }) => kind === 'reply') as ReplyCallback[];
        },
      };
    }

    const START: RunCommand = { type: 'start' };
    const SUCCEED: RunCommand = { type: 'succeed', outputs: {} };

    test('a person with write permission deploys, and is answered once', async (t) => {
      const { say, runs, replies, audit, fail, spec } = await setUp(t);
      const { again } = await say('deploy', { target: spec.environment });
      fail(true);
      await assert.rejects(again(), RetryableError);
      assert.deepEqual([await runs(), await replies(), await audit()], [[], [], []]);
      fail(false);
      await again();
      await assert.rejects(again());
      assert.deepEqual(await runs(), ['deploy queued']);
      assert.deepEqual(
        (await replies()).map(({ reaction, pull }) => [reaction, pull]),
        [['+1', 12]],
      );
      assert.ok((await audit()).includes('github:alice comment.deploy'));
    });

    const REFUSED = [
      ['a person without the permission', { by: 'eve' }, /^Not done: eve may not/],
      ['an edit', { isEdited: true }, /^Not done: a comment that was edited gives no command/],
    ] as const;
    for (const [what, how, refusal] of REFUSED) {
      for (const on of [{ pull: 12 }, { commit: HEAD }]) {
        const where = 'pull' in on ? 'a pull request' : 'a commit';
        test(`each command of ${what} on ${where} comes to a refusal and an audit entry, and nothing else (G12)`, async (t) => {
          const { say, run, runs, replies, audit, store, spec } = await setUp(t, {
            gates: [APPROVE],
          });
          await run('r1', OLDER, { type: 'unblock' }, START, SUCCEED);
          await run('r2', HEAD, { type: 'unblock' }, START, SUCCEED);
          await run('r3', HEAD);
          const before = [await runs(), await store.pauses.list()];
          for (const name of COMMANDS) {
            const { again } = await say(name, { target: spec.environment }, { on, ...how });
            assert.match((await again()).summary, refusal);
            const by = 'by' in how ? how.by : 'alice';
            assert.ok((await audit()).includes(`github:${by} comment.${name}.refused`));
          }
          assert.deepEqual([await runs(), await store.pauses.list()], before);
          const told = await replies();
          assert.deepEqual(
            told.map(({ reaction, pull, commit }) => [reaction, pull, commit]),
            COMMANDS.map(() => ['confused', on.pull, on.commit]),
          );
          assert.equal((await audit()).length, COMMANDS.length);
          assert.deepEqual(await store.gates.answersTo('r3'), []);
        });
      }
    }

    test('a command on a commit is about that commit', async (t) => {
      const { say, run, runs, replies, spec } = await setUp(t, { gates: [APPROVE] });
      const on = { commit: OLDER };
      await run('r1', OLDER, { type: 'unblock' }, START, SUCCEED);
      await run('r2', HEAD);
      assert.match(
        (await (await say('approve', {}, { on })).again()).summary,
        /this commit has no/,
      );
      await (await say('approve', {}, { on: { commit: HEAD } })).again();
      await (await say('retry', {}, { on })).again();
      await (await say('explain', {}, { on })).again();
      assert.deepEqual((await runs()).slice(0, 2), ['retry superseded', 'event queued']);
      await (await say('deploy', { target: spec.environment }, { on: { commit: HEAD } })).again();
      assert.match((await runs())[0] ?? '', /^deploy /);
      const told = await replies();
      assert.ok(
        told.some(({ text, commit }) => commit === OLDER && text.startsWith('- bbbbbbb, ')),
      );
    });

    test('why a user rolls back is said by the pause, the audit and the Deployment, also of a run that waits', async (t) => {
      const { say, run, store, spec } = await setUp(t, { gates: [APPROVE] });
      await run('r1', OLDER, { type: 'unblock' }, START, SUCCEED);
      await run('r2', HEAD, { type: 'unblock' }, START, SUCCEED);
      const reason = 'the cart is empty';
      await (await say('rollback', { target: spec.environment, reason })).again();
      const [pause] = await store.pauses.list();
      assert.equal(pause?.reason, `rolled back to ${OLDER.slice(0, 7)}: ${reason}`);
      const told = (await audited(store, 20)).map(({ action, detail }) => `${action} ${detail}`);
      assert.ok(told.some((line) => /^run\.rollback .*: the cart is empty \(run r1\)/.test(line)));
      const [made] = (await store.runs.list({ limit: 1, before: undefined }, {})).items;
      assert.ok(made);
      assert.deepEqual([made.cause, made.state], ['rollback', 'blocked']);
      const deployment = (await store.outbox.ofRun(made.id))
        .map(({ callback }) => callback as DeploymentCallback)
        .find(({ kind }) => kind === 'deployment');
      assert.equal(
        deployment?.description,
        `Mainsheet: ${spec.name}. Rollback to ${OLDER.slice(0, 7)}: ${reason} (run r1)`,
      );
    });

    test('what stands in a fork alone is not deployed', async (t) => {
      const { say, run, runs, replies, forked, spec } = await setUp(t);
      await run('r1', HEAD, START, SUCCEED);
      forked();
      const { again } = await say('deploy', { target: spec.environment });
      assert.match((await again()).summary, /no branch or tag leads to/);
      assert.equal((await runs()).length, 1);
      assert.equal((await replies())[0]?.reaction, 'confused');
    });

    test('a spec that does not take commands is neither changed nor spoken of', async (t) => {
      const { say, run, runs, replies, spec } = await setUp(t, { comments: false });
      await run('r1', HEAD, START, SUCCEED);
      const { again } = await say('deploy', { target: spec.environment });
      assert.match((await again()).summary, /says comments: true/);
      assert.deepEqual([(await runs()).length, await replies()], [1, []]);
    });

    test('/retry runs again what has ended, /approve starts what waits', async (t) => {
      const { say, run, runs } = await setUp(t, { gates: [APPROVE] });
      await run('r1', HEAD);
      assert.match((await (await say('retry')).again()).summary, /no run that has ended/);
      await (await say('approve')).again();
      assert.deepEqual(await runs(), ['event queued']);
    });

    test('/approve is for what was there when it was written, however late it comes: a newer commit is approved by none', async (t) => {
      const { say, run, runs } = await setUp(t, { gates: [APPROVE] });
      await run('r1', HEAD);
      const refused = /run r1 was not there yet when it was asked for/;
      assert.match((await (await say('approve', {}, {}, 999)).again()).summary, refused);
      const missed = await say('approve', {}, { writtenAt: 1000 - 60_001 });
      assert.match((await missed.again()).summary, refused);
      assert.deepEqual(await runs(), ['event blocked']);
    });

    test('/explain answers with text in which nothing is Markdown or a mention', async (t) => {
      const { say, run, replies } = await setUp(t);
      await run('r1', HEAD, START, SUCCEED);
      await (await say('explain')).again();
      const [told] = await replies();
      assert.match(told?.text ?? '', /^- a{7}, .*No delivery names it/);
      assert.doesNotMatch(told?.text ?? '', /@/);
    });
  });
}
