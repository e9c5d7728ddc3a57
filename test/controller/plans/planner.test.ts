import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { PlanCommentCallback } from '../../../src/callbacks/plan-comment.ts';
import type { MakePlan, Plan } from '../../../src/controller/plans/make-plan.ts';
import { notePull } from '../../../src/controller/plans/note-pull.ts';
import { createPlanner } from '../../../src/controller/plans/planner.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts';
import type { PulledEvent } from '../../../src/store/plans.ts';
import { silent } from '../../git/fixture.ts';
import { newStore } from '../../support/new-store.ts';
import { until } from '../../support/until.ts';

const HEAD = 'a'.repeat(40);
const NEXT = 'b'.repeat(40);
const pulled = (changedAt: number, more: Partial<PulledEvent> = {}): PulledEvent => ({
  kind: 'pull_request',
  repository: 'acme/shop',
  number: 12,
  isReady: true,
  isClosed: false,
  base: 'main',
  head: HEAD,
  headBranch: 'feature',
  headRepository: 'acme/shop',
  title: '',
  defaultBranch: 'main',
  changedAt,
  ...more,
});
const planOf = (pull: PulledEvent): Plan => ({
  pull,
  base: HEAD,
  verdicts: [],
  change: undefined,
  backtest: undefined,
});

/** A planner that works on a real store, and a clock that the test moves. */
async function setUp(t: TestContext, makePlan: MakePlan, feedback: 'app' | 'token' = 'app') {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-planner-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  let ahead = 0;
  const clock = { ...systemClock, now: () => Date.now() + ahead };
  const planner = createPlanner({
    store,
    catalog: { current: () => ({ specs: [], problems: [], loadedAt: 1, stale: false }) },
    makePlan,
    feedback,
    publicUrl: undefined,
    leaseMs: 60_000,
    clock,
    logger: silent,
  });
  const stopping = new AbortController();
  const running = planner.run(stopping.signal);
  t.after(async () => {
    stopping.abort();
    await running;
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    store,
    async note(pull: PulledEvent) {
      const said = await store.atomically((tables) => notePull(tables, pull, clock.now()));
      planner.wake();
      return said;
    },
    pass(ms: number) {
      ahead += ms;
      planner.wake();
    },
    /** What waits to be sent, as `kind commit`. */
    async waiting(): Promise<string[]> {
      const { items } = await store.outbox.list(
        { limit: 50, before: undefined },
        { state: 'pending' },
      );
      return items
        .map(({ callback }) => callback as PlanCommentCallback)
        .map(({ kind, sha }) => `${kind} ${sha.slice(0, 1)}`)
        .toSorted();
    },
  };
}

const BOTH = ['plan-check a', 'plan-comment a'];

test('a plan is a check run and a comment; without an App it is a comment', async (t) => {
  for (const [feedback, kinds] of [
    ['app', BOTH],
    ['token', ['plan-comment a']],
  ] as const) {
    const { note, waiting } = await setUp(t, async (pull) => planOf(pull), feedback);
    await note(pulled(1));
    await until('it is said', async () => (await waiting()).length === kinds.length);
    assert.deepEqual(await waiting(), kinds);
  }
});

test('what is told while a plan is made takes its place, and the old one says nothing', async (t) => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const { note, waiting } = await setUp(t, async (pull) => {
    begun.push(pull.head);
    if (pull.head === HEAD) await held;
    return planOf(pull);
  });
  await note(pulled(1));
  await until('the first is under way', () => begun.length === 1);
  await note(pulled(2, { head: NEXT }));
  release();
  await until('the second is said', async () => (await waiting()).length === 2);
  assert.deepEqual(await waiting(), ['plan-check b', 'plan-comment b']);
  assert.match(await note(pulled(1)), /was told of before/);
  assert.deepEqual(begun, [HEAD, NEXT]);
});

test('one that is closed is not planned, and what waits to be sent of it is dropped', async (t) => {
  const { note, waiting } = await setUp(t, async (pull) => planOf(pull));
  await note(pulled(1));
  await until('it is said', async () => (await waiting()).length === 2);
  await note(pulled(2, { isReady: false }));
  assert.deepEqual(await waiting(), []);
});

test('what cannot be found out now is tried again later, a commit that git does not show yet for five minutes', async (t) => {
  let tries = 0;
  const { note, waiting, pass } = await setUp(t, async (pull) => {
    tries += 1;
    if (tries === 1) throw new RetryableError('git-unreachable', 'away');
    if (tries < 9) throw new TerminalError('commit-missing', 'not there yet');
    return planOf(pull);
  });
  await note(pulled(1));
  await until('it was tried', () => tries === 1);
  assert.deepEqual(await waiting(), []);
  await until('it is said', async () => {
    pass(60_000);
    return (await waiting()).length === 2;
  });
});

test('what can never be found out is said, and a commit that is gone is left to the next event', async (t) => {
  for (const [code, count, times] of [
    ['too-many-changes', 2, 1],
    ['commit-missing', 0, 10],
  ] as const) {
    let tries = 0;
    const { note, waiting, store, pass } = await setUp(t, async (pull) => {
      if (pull.number === 13) return planOf(pull);
      tries += 1;
      throw new TerminalError(code, 'secret words of git');
    });
    await note(pulled(1));
    // They are planned one after the other.
    await note(pulled(1, { number: 13, head: NEXT }));
    await until('the other is said', async () => (await waiting()).includes('plan-check b'));
    await until('the first is given up', () => {
      pass(600_000);
      return tries === times;
    });
    assert.equal((await waiting()).length, 2 + count, code);
    const { items } = await store.outbox.list({ limit: 9, before: undefined }, {});
    assert.ok(!JSON.stringify(items).includes('secret words'));
  }
});

test('where there is nothing to say, nothing is said, unless something was said before', async (t) => {
  let isWanted = false;
  let tries = 0;
  const { note, waiting } = await setUp(t, async (pull) => {
    tries += 1;
    return isWanted ? planOf(pull) : undefined;
  });
  await note(pulled(1));
  await until('it was looked at', () => tries === 1);
  isWanted = true;
  await note(pulled(2));
  await until('it is said', async () => (await waiting()).length === 2);
  isWanted = false;
  await note(pulled(3, { head: NEXT }));
  await until('it is taken back', async () => (await waiting()).includes('plan-comment b'));
});
