import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AnswerTo } from '../../../src/callbacks/answer.ts';
import { createExpire } from '../../../src/controller/maintenance/expire.ts';
import { createHookRollback } from '../../../src/controller/operator/hook-rollback.ts';
import { createOperate, type RolledBackIn } from '../../../src/controller/operator/operate.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { DeploymentSpec, LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import type { Run } from '../../../src/model/run.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { silent } from '../../git/fixture.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';
import { audited } from '../../support/audited.ts';

const DAY = 86_400_000;
const ME = 'me';

/** A lane with a history, and a clock that the test sets. */
async function createFixture(t: TestContext, more: Partial<DeploymentSpec> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-rollback-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const loaded = sampleLoaded({
    concurrency: { lane: 'main', queue: 'all', cancelRunning: false },
    ...more,
  });
  const specOf = async () => loaded.spec;
  /** What the catalog has by now. */
  let current: LoadedSpec | undefined;
  let now = 100 * DAY;
  const clock = { now: () => (now += 1), elapsed: () => now, sleep: async () => undefined };
  const news = createBroadcast<News>();
  const transitions = createTransitions({
    store,
    specOf,
    clock,
    news,
    publicUrl: undefined,
    feedback: undefined,
  });
  const operate = createOperate({
    store,
    catalog: { byName: (name) => (name === current?.spec.name ? current : undefined) },
    transitions,
    specOf,
    clock,
  });

  async function end(run: Run, how: 'succeeds' | 'fails'): Promise<Run> {
    const started = await transitions.commit(run, { type: 'start' });
    return how === 'succeeds'
      ? await transitions.commit(started, { type: 'succeed', outputs: {} })
      : await transitions.commit(started, { type: 'fail', fault: 'step', reason: 'x' });
  }
  const hookRollback = createHookRollback(operate);
  return {
    operate,
    end,
    /** The spec is given to another repository. */
    giveTo: (repository: string) => {
      current = { ...loaded, spec: { ...loaded.spec, repository } };
    },
    /** The lane of the spec changes. */
    moveTo: (lane: string) => {
      const concurrency = { ...loaded.spec.concurrency, lane };
      current = { ...loaded, spec: { ...loaded.spec, concurrency } };
    },
    /** What a request to a hook brings about. */
    alert: (reason = '', delivery = 'alert.1') =>
      store.atomically((tables) =>
        hookRollback(tables, { spec: 'storefront', hook: 'alert', delivery, reason }),
      ),
    store,
    async deploy(
      id: string,
      sha: string,
      how: 'succeeds' | 'fails' = 'succeeds',
      lane = 'main',
      more: Partial<Run> = {},
    ) {
      const run = sampleRun(id, { sha: sha.repeat(40), lane, createdAt: clock.now(), ...more });
      const [made] = await store.atomically((tables) => transitions.create(tables, run, loaded));
      assert.ok(made);
      return await end(made, how);
    },
    async goBack(to?: string) {
      const { run } = await operate.rollbackSpec('storefront', ME, { to });
      return (await end(run, 'succeeds')).sha[0];
    },
    async wait(id: string, lane = `of ${id}`, more: Partial<Run> = {}) {
      const run = sampleRun(id, { lane, createdAt: clock.now(), ...more });
      return await store.atomically(
        async (tables) => (await transitions.create(tables, run, loaded))[0] as Run,
      );
    },
    start: (run: Run) => transitions.commit(run, { type: 'start' }),
    cancel: (run: Run) => transitions.commit(run, { type: 'cancel', reason: 'x' }),
    async expire(days: number) {
      now += days * DAY;
      const limits = { ageMs: 30 * DAY, deliveries: 1e6, runs: 1e6 };
      const expire = createExpire({ retention: store.retention, limits, clock, logger: silent });
      await expire(new AbortController().signal);
    },
    /** The requests whose senders are told of a run's end. */
    answered: async ({ id }: Run) =>
      (await store.outbox.ofRun(id)).flatMap(({ callback }) =>
        callback.kind === 'answer' ? [(callback as unknown as { to: AnswerTo }).to.delivery] : [],
      ),
    left: async () =>
      (await store.runs.list({ limit: 200, before: undefined }, {})).items.map(({ id }) => id),
  };
}

test('a second rollback goes further back, also past a revision that only its retry deployed', async (t) => {
  const { deploy, operate, end, goBack } = await createFixture(t);
  await deploy('r1', 'a');
  await deploy('r2', 'b', 'fails');
  await end(await operate.retry('r2', ME), 'succeeds');
  await deploy('r4', 'c');
  assert.deepEqual([await goBack(), await goBack()], ['b', 'a']);
});

test('the retry of an older revision says what newer one it takes the place of', async (t) => {
  const { deploy, wait, start, cancel, operate } = await createFixture(t);
  const why = async (id: string) => {
    const run = await operate.retry(id, ME);
    await cancel(run);
    return run.reason;
  };
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  assert.equal(await why('r2'), 'Retry of run r2');
  const instead = 'Retry of run r1, in place of the newer';
  assert.equal(await why('r1'), `${instead} bbbbbbb (run r2), which is deployed`);
  const others = { sha: 'f'.repeat(40), repository: 'acme/other' };
  await cancel(await wait('r3', 'main', { sha: 'a'.repeat(40) }));
  const running = await start(await wait('x', 'main', others));
  assert.equal(await why('r1'), `${instead} bbbbbbb (run r2), which is deployed`);
  await cancel(running);
  await cancel(await wait('r4', 'main', { sha: 'c'.repeat(40) }));
  const next = await wait('r5', 'main', { sha: 'd'.repeat(40) });
  assert.equal(await why('r1'), `${instead} ddddddd (run r5), which waits`);
  await start(next);
  assert.equal(await why('r1'), `${instead} ddddddd (run r5), which runs`);
});

test('a second rollback goes further back, also when the first had been undone by hand before', async (t) => {
  const { deploy, goBack } = await createFixture(t);
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  await deploy('r3', 'c');
  assert.deepEqual([await goBack(), await goBack('r3')], ['b', 'c']);
  assert.deepEqual([await goBack(), await goBack()], ['b', 'a']);
});

test('rollbacks do not crowd out the revisions that may be rolled back to', async (t) => {
  const { deploy, goBack, expire } = await createFixture(t);
  for (let n = 0; n < 10; n += 1) await deploy(`s${n}`, `${n}`);
  const gone: (string | undefined)[] = [];
  for (let n = 0; n < 5; n += 1) gone.push(await goBack());
  assert.deepEqual(gone, ['8', '7', '6', '5', '4']);
  await expire(100);
  assert.equal(await goBack(), '3');
});

test('runs that waited for long and ended lately do not keep older ones from being removed', async (t) => {
  const { wait, cancel, deploy, expire, left } = await createFixture(t);
  const waiting: Run[] = [];
  for (let n = 0; n < 25; n += 1) waiting.push(await wait(`w${n}`));
  for (let n = 0; n < 30; n += 1) await deploy(`f${n}`, 'a', 'fails');
  await expire(90);
  for (const run of waiting) await cancel(run);
  await expire(1);
  assert.deepEqual((await left()).toSorted(), waiting.map(({ id }) => id).toSorted());
});

const NEWEST = { lane: 'main', queue: 'newest', cancelRunning: false } as const;

test('after a rollback its lane is paused for what comes next, but not for the rollback itself', async (t) => {
  const { deploy, operate, end, wait, store } = await createFixture(t, { concurrency: NEWEST });
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  const { run, pause } = await operate.rollbackSpec('storefront', ME);
  assert.equal(run.state, 'queued');
  assert.partialDeepStrictEqual(pause, {
    kind: 'lane',
    name: 'main',
    by: ME,
    reason: 'rolled back to aaaaaaa',
  });
  assert.equal((await store.runs.nextRunnable(0))?.id, run.id);
  await end(run, 'succeeds');
  const next = await wait('r3', 'main');
  assert.equal(next.state, 'blocked');
  assert.match(next.reason, /^Paused by me since .* \(lane main\): rolled back to aaaaaaa$/);
  const [audit] = await audited(store, 1);
  assert.match(audit?.detail ?? '', /; the lane main is paused$/);
});

test('a rollback that waits for its turn keeps it, whatever its pause holds meanwhile', async (t) => {
  const { deploy, operate, wait, store } = await createFixture(t, { concurrency: NEWEST });
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  const { run } = await operate.rollbackSpec('storefront', ME);
  await wait('r3', 'main');
  await wait('r4', 'main');
  assert.equal((await store.runs.get('r3'))?.state, 'superseded');
  assert.equal((await store.runs.nextRunnable(0))?.id, run.id);
});

test('where the lane of the spec has changed since, a rollback pauses the one that the next push comes to', async (t) => {
  const { deploy, operate, end, wait, moveTo, store } = await createFixture(t, {
    concurrency: NEWEST,
  });
  const place = { environment: 'production' };
  const stateOf = async (id: string) => (await store.runs.get(id))?.state;
  await deploy('r1', 'a', 'succeeds', 'main', place);
  await deploy('r2', 'b', 'succeeds', 'main', place);
  moveTo('moved');
  const { run, pause } = await operate.rollbackSpec('storefront', ME);
  assert.deepEqual([run.lane, pause?.name], ['main', 'moved']);
  await wait('r3', 'moved', place);
  assert.deepEqual([await stateOf(run.id), await stateOf('r3')], ['queued', 'blocked']);
  await end(run, 'fails');
  const again = await operate.retry(run.id, ME);
  assert.deepEqual([again.state, await stateOf('r3')], ['queued', 'superseded']);
  const second = await operate.rollbackSpec('storefront', ME);
  assert.deepEqual(
    (await store.pauses.list()).map(({ name }) => name),
    ['moved'],
  );
  assert.equal((await store.runs.nextRunnable(0))?.id, second.run.id);
});

for (const queue of ['newest', 'all'] as const) {
  test(`with queue: ${queue} a rollback and its retry take the place of what waits, and start`, async (t) => {
    const concurrency = { ...NEWEST, queue };
    const { deploy, operate, end, wait, store } = await createFixture(t, { concurrency });
    const stateOf = async (id: string) => (await store.runs.get(id))?.state;
    await deploy('r1', 'a');
    await deploy('r2', 'b');
    await wait('r3', 'main');
    const { run } = await operate.rollbackSpec('storefront', ME);
    assert.equal(await stateOf('r3'), 'superseded');
    assert.equal((await store.runs.nextRunnable(0))?.id, run.id);
    await end(run, 'fails');
    await wait('r4', 'main');
    const again = await operate.retry(run.id, ME);
    assert.equal(await stateOf('r4'), 'superseded');
    assert.equal((await store.runs.nextRunnable(0))?.id, again.id);
  });
}

test('the next rollback goes through the pause of the one before, and so does the retry of one that failed', async (t) => {
  const { deploy, operate, end } = await createFixture(t, { concurrency: NEWEST });
  for (const [index, sha] of ['a', 'b', 'c'].entries()) await deploy(`r${index}`, sha);
  const first = await operate.rollbackSpec('storefront', ME);
  await end(first.run, 'fails');
  const again = await operate.retry(first.run.id, ME);
  assert.equal(again.state, 'queued');
  await end(again, 'succeeds');
  const second = await operate.rollbackSpec('storefront', ME);
  assert.equal(second.run.state, 'queued');
  assert.equal(second.pause?.reason, 'rolled back to aaaaaaa');
});

test('a rollback pauses nothing when it is asked not to, or when its spec says so, and ends what the one before has paused', async (t) => {
  const { deploy, operate, end, wait, store } = await createFixture(t, { concurrency: NEWEST });
  for (const [index, sha] of ['a', 'b', 'c'].entries()) await deploy(`r${index}`, sha);
  await end((await operate.rollbackSpec('storefront', ME)).run, 'succeeds');
  const { run, pause } = await operate.rollbackSpec('storefront', ME, { resume: true });
  assert.equal(pause, undefined);
  await end(run, 'succeeds');
  assert.equal((await wait('r9', 'main')).state, 'queued');

  const other = await createFixture(t, { concurrency: NEWEST, afterRollback: 'continue' });
  await other.deploy('r1', 'a');
  await other.deploy('r2', 'b');
  assert.equal((await other.operate.rollbackSpec('storefront', ME)).pause, undefined);
  assert.deepEqual(await store.pauses.list(), []);
});

test('what waits in the lane for another spec is held too, and a pause that a person has made holds the rollback', async (t) => {
  const { deploy, operate, wait, store } = await createFixture(t);
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  await wait('r3', 'main', { spec: 'another' });
  await operate.rollbackSpec('storefront', ME);
  assert.equal((await store.runs.get('r3'))?.state, 'blocked');

  const other = await createFixture(t);
  await other.deploy('r1', 'a');
  await other.deploy('r2', 'b');
  const made = { kind: 'lane', name: 'main', since: 1, by: 'ann', reason: '' } as const;
  await other.store.pauses.add(made);
  const { run, pause } = await other.operate.rollbackSpec('storefront', ME);
  assert.equal(run.state, 'blocked');
  assert.deepEqual(pause, made);
});

const runOf = (answer: string | RolledBackIn): Run =>
  typeof answer === 'string' ? assert.fail(answer) : answer.runs[0];

test('a hook rolls back as itself, with its reason as one line and its delivery in the audit', async (t) => {
  const { deploy, alert, store } = await createFixture(t, { concurrency: NEWEST });
  await deploy('r1', 'a');
  await deploy('r2', 'b');
  const run = runOf(await alert(`5xx\u0000\n<b>${'😀'.repeat(200)}`));
  assert.deepEqual([run.sha[0], run.cause, run.state], ['a', 'rollback', 'queued']);
  assert.equal(await store.runs.askedBy(run.id), 'hook:alert');
  const pause = await store.pauses.get({ kind: 'lane', name: 'main' });
  assert.equal(pause?.by, 'hook:alert');
  assert.match(pause.reason, /^rolled back to aaaaaaa: 5xx <b>(?:😀)+.?$/u);
  assert.ok(pause.reason.isWellFormed());
  const [audit] = await audited(store, 1);
  assert.deepEqual([audit?.actor, audit?.action], ['hook:alert', 'run.rollback']);
  assert.match(audit?.detail ?? '', /the lane main is paused; asked by delivery alert\.1$/);
});

test('an alert that comes again takes nothing back further: while the rollback is under way, nor when it has succeeded', async (t) => {
  const { deploy, alert, end, operate, store } = await createFixture(t, { concurrency: NEWEST });
  for (const [index, sha] of ['a', 'b', 'c'].entries()) await deploy(`r${index}`, sha);
  const first = runOf(await alert());
  assert.equal(await alert(), `run ${first.id} is rolling it back already`);
  await end(first, 'fails');
  const second = runOf(await alert());
  assert.equal(second.sha[0], 'b');
  await end(second, 'fails');
  const retried = await operate.retry(second.id, ME);
  assert.equal(await alert(), `run ${retried.id} is rolling it back already`);
  await end(retried, 'succeeds');
  await store.pauses.releaseRollback('main');
  assert.equal(await alert(), `it was rolled back to bbbbbbb already (run ${retried.id})`);

  const other = await createFixture(t, { concurrency: NEWEST, afterRollback: 'continue' });
  for (const [index, sha] of ['a', 'b', 'c'].entries()) await other.deploy(`r${index}`, sha);
  await other.end(runOf(await other.alert()), 'succeeds');
  const why = await other.alert();
  assert.match(typeof why === 'string' ? why : '', /^it was rolled back to bbbbbbb already/);
  await other.deploy('r9', 'd');
  assert.equal(runOf(await other.alert()).sha[0], 'b');
});

test('the retry of a rollback answers the sender that asked for the rollback, and not the one of what it goes back to', async (t) => {
  const { deploy, alert, end, operate, store, answered } = await createFixture(t);
  for (const delivery of ['d-a', 'd-b', 'alert.1']) {
    const callback = JSON.stringify({ url: 'https://example.com', secret: 'KEY' });
    await store.accept({ ...sampleDelivery(delivery), callback });
  }
  await deploy('r1', 'a', 'succeeds', 'main', { delivery: 'd-a' });
  const second = await deploy('r2', 'b', 'succeeds', 'main', { delivery: 'd-b' });
  assert.deepEqual(await answered(second), ['d-b']);
  const back = await end(runOf(await alert()), 'fails');
  assert.deepEqual(await answered(back), ['alert.1']);
  const again = await end(await operate.retry(back.id, ME), 'fails');
  assert.deepEqual(await answered(again), ['alert.1']);
  const once = await end(await operate.retry(again.id, ME), 'succeeds');
  assert.deepEqual(await answered(once), ['alert.1']);

  const { run } = await operate.rollback('r2', ME, { resume: true });
  const byHand = await end(await operate.retry((await end(run, 'fails')).id, ME), 'succeeds');
  assert.deepEqual(await answered(byHand), []);
  const repeated = await end(await operate.retry('r1', ME), 'succeeds');
  assert.deepEqual(await answered(repeated), ['d-a']);
});

test('where nothing was deployed before, a hook is told so', async (t) => {
  const { deploy, alert } = await createFixture(t);
  assert.equal(await alert(), 'there is no run of a deployment spec storefront');
  await deploy('r1', 'a');
  assert.equal(await alert(), 'storefront has no earlier successful run of another revision');
});

test('a hook whose spec deployed a preview last is told so, and a pause that it finds stays', async (t) => {
  const { alert, deploy, store } = await createFixture(t);
  const pull = { event: 'pull_request', ref: 'refs/pull/7/head' } as const;
  for (const [id, sha] of ['a', 'b'].entries())
    await deploy(`r${id}`, sha, 'succeeds', 'main', pull);
  const pause = { kind: 'lane', name: 'main', since: 1, by: ME, reason: 'rolled back' } as const;
  await store.atomically((tables) => tables.pauses.add(pause, 'r0'));
  assert.equal(await alert(), 'the preview of pull request #7 is not rolled back');
  assert.equal((await store.pauses.list()).length, 1);
});

test('what a spec deployed before it was given to another repository is done again by no way but a rollback that names it', async (t) => {
  const { deploy, giveTo, operate, alert, goBack, store } = await createFixture(t);
  const before = await deploy('r1', 'a');
  await deploy('r2', 'b');
  await store.repositories.see(1, before.repository, 1);
  giveTo('acme/other');
  const nothing = { code: 'nothing-to-roll-back-to', message: /nothing of its own yet$/ };
  const refused = { code: 'illegal-transition', message: /is another repository's now$/ };
  await assert.rejects(operate.rollbackSpec('storefront', ME), nothing);
  const why = await alert();
  assert.match(typeof why === 'string' ? why : '', /nothing of its own yet$/);
  await assert.rejects(operate.rollback('r2', ME), refused);
  await assert.rejects(operate.rollback('r2', ME, { to: 'r1' }), refused);
  await assert.rejects(operate.retry('r2', ME), refused);
  assert.deepEqual(await store.pauses.list(), []);
  // The same repository by another name.
  await store.repositories.see(1, 'acme/other', 2);
  assert.equal(await goBack(), 'a');
  giveTo('acme/third');
  assert.equal(await goBack('r2'), 'b');
});
