import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import type { AnyCallback } from '../../src/callbacks/index.ts';
import type { LoadedSpec } from '../../src/model/deployment-spec.ts';
import type { News } from '../../src/model/news.ts';
import type { NewRun, Run } from '../../src/model/run.ts';
import { createSpecReader } from '../../src/runs/snapshot.ts';
import { createTransitions, LostRunError } from '../../src/runs/transition.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import type { Store } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';

const NOW = 5000;

function load(more = '', notify = ''): LoadedSpec {
  const text = `name: storefront
repository: acme/storefront
on: { push: { branches: [main] } }
${more}
steps:
  - { name: Build, run: "true" }
  - { name: Smoke, run: "true" }
notify:
  - on: [queued, succeeded, failed, superseded]
    webhook: { url: "https://hooks.example" }
  - on: [succeeded]
    dispatch: { repository: acme/hub, event-type: deployed, payload: {} }
${notify}`;
  const { specs, problems } = parseSpecs('storefront.yaml', text);
  assert.deepEqual(problems, []);
  const [loaded] = specs;
  assert.ok(loaded);
  return loaded;
}

async function setUp(
  t: TestContext,
  options: { feedback?: 'app' | 'token' | undefined; spec?: string; notify?: string } = {},
) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-transition-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const loaded = load(options.spec, options.notify);
  const news = createBroadcast<News>();
  const heard: News[] = [];
  news.subscribe((item) => heard.push(item));
  const make = (on: Store) =>
    createTransitions({
      store: on,
      specOf: createSpecReader(),
      clock: { now: () => NOW, elapsed: () => NOW, sleep: async () => undefined },
      news,
      publicUrl: 'https://mainsheet.example',
      feedback: 'feedback' in options ? options.feedback : 'app',
    });
  const transitions = make(store);
  const create = (id: string, more: Partial<NewRun> = {}) =>
    store.atomically((tables) => {
      const planned = sampleRun(id, { specDigest: loaded.digest, ...more });
      return transitions.create(tables, planned, loaded);
    });
  return { store, transitions, make, create, heard, loaded };
}

/** A run's callbacks, in the order in which they will be sent: `status pending`. */
async function callbacksOf(store: Store, run: string): Promise<string[]> {
  return (await store.outbox.ofRun(run)).map(({ callback }) => tells(callback as AnyCallback));
}

function tells(callback: AnyCallback): string {
  if (callback.kind === 'trace') return callback.kind;
  const state = 'state' in callback ? callback.state : 'run' in callback ? callback.run.state : '';
  return `${callback.kind} ${state}`.trim();
}

async function get(store: Store, id: string): Promise<Run> {
  const run = await store.runs.get(id);
  assert.ok(run);
  return run;
}

/** The store, but callbacks cannot be written: what a full disk in the midst of a transaction does. */
function withoutOutbox(store: Store): Store {
  const add = async () => {
    throw new Error('the disk is full');
  };
  return {
    ...store,
    lazily: (work) =>
      store.lazily((tables) => work({ ...tables, outbox: { ...tables.outbox, add } })),
  };
}

test('a new run is there with its snapshot, its steps and its first callbacks', async (t) => {
  const { store, create, loaded, heard } = await setUp(t);
  const [run, ...others] = await create('r1');
  assert.deepEqual(others, []);
  assert.deepEqual(run, await get(store, 'r1'));
  assert.deepEqual(
    (await store.steps.ofRun('r1')).map(({ name }) => name),
    ['Build', 'Smoke'],
  );
  assert.equal((await store.snapshots.get(loaded.digest))?.text, loaded.text);
  assert.deepEqual(await callbacksOf(store, 'r1'), [
    'status pending',
    'deployment',
    'webhook queued',
  ]);
  // The transaction is the caller's: only it knows when there is something to tell.
  assert.deepEqual(heard, []);
});

test('what a run waits for besides is said where one message is changed, and no other is sent twice', async (t) => {
  const { store, transitions, create } = await setUp(t, {
    spec: 'secrets: [S]',
    notify: `  - { on: blocked, discord: { secret: S } }
  - { slack: { token: S, channel: C0123456789 } }
`,
  });
  const [run] = await create('r1');
  assert.ok(run);
  const paused = await transitions.commit(run, { type: 'block', reason: 'Paused by alice' });
  await transitions.commit(paused, { type: 'block', reason: 'Waiting for 1 approval' });
  const told = await callbacksOf(store, 'r1');
  const count = (callback: string) => told.filter((one) => one === callback).length;
  assert.deepEqual([count('discord blocked'), count('slack-app blocked')], [1, 2]);
});

test('no step of a run that has ended is left open, however the run ended and wherever its process had died', async (t) => {
  const { store, transitions, create } = await setUp(t);
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  const [build] = await store.steps.ofRun('r1');
  assert.ok(build);
  // What a process leaves that is killed in the midst of its first step.
  await store.steps.update('r1', { ...build, state: 'running', attempts: 1, startedAt: 1 });
  await transitions.commit(running, { type: 'cancel', reason: 'Cancelled by hand' });
  await create('r2', { delivery: 'd2' });
  await create('r3', { delivery: 'd3' });
  await create('r4', { delivery: 'd4', state: 'superseded', reason: 'It came late' });
  const states = async (run: string) => (await store.steps.ofRun(run)).map(({ state }) => state);
  assert.deepEqual(await states('r1'), ['cancelled', 'skipped']);
  assert.equal((await store.steps.ofRun('r1'))[0]?.finishedAt, NOW);
  assert.deepEqual(await states('r2'), ['skipped', 'skipped'], 'superseded by r3');
  assert.deepEqual(await states('r3'), ['pending', 'pending']);
  assert.deepEqual(await states('r4'), ['skipped', 'skipped'], 'superseded as it was made');
});

test('a delivery that has made its run makes no second one, and nothing is told twice (G2)', async (t) => {
  const { store, create } = await setUp(t);
  await create('r1', { delivery: 'd1' });
  assert.deepEqual(await create('r2', { delivery: 'd1' }), []);
  assert.equal((await get(store, 'r1')).state, 'queued');
  assert.deepEqual(await callbacksOf(store, 'r2'), []);
});

test('when its callbacks cannot be written a run is not made and supersedes nothing (G5)', async (t) => {
  const { store, make, create, loaded } = await setUp(t);
  await create('r1');
  const before = await callbacksOf(store, 'r1');
  const broken = withoutOutbox(store);
  const planned = sampleRun('r2', { specDigest: loaded.digest });
  await assert.rejects(
    broken.lazily((tables) => make(broken).create(tables, planned, loaded)),
    /the disk is full/,
  );
  assert.equal(await store.runs.get('r2'), undefined);
  assert.deepEqual(await store.steps.ofRun('r2'), []);
  assert.equal((await get(store, 'r1')).state, 'queued');
  assert.deepEqual(await callbacksOf(store, 'r1'), before);
});

test('when its callbacks cannot be written a run does not change, nor what is deployed (G5)', async (t) => {
  const { store, make, transitions, create, heard } = await setUp(t);
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  const before = await callbacksOf(store, 'r1');
  heard.length = 0;
  const broken = make(withoutOutbox(store));
  await assert.rejects(broken.commit(running, { type: 'succeed', outputs: {} }), /disk is full/);
  assert.deepEqual(await get(store, 'r1'), running);
  assert.equal(await store.environments.get(sampleRun('r1')), undefined);
  assert.deepEqual(await callbacksOf(store, 'r1'), before);
  assert.deepEqual(heard, []);
});

test('every change of a run is told in order, and success is what is deployed', async (t) => {
  const { store, transitions, create, heard } = await setUp(t);
  const ends: Run[] = [];
  transitions.ended.subscribe((run) => ends.push(run));
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  const outputs = { url: 'https://shop.example' };
  const ended = await transitions.commit(running, { type: 'succeed', outputs });
  assert.deepEqual(await get(store, 'r1'), ended);
  assert.deepEqual((await callbacksOf(store, 'r1')).slice(3), [
    'status pending',
    'deployment-status in_progress',
    'status success',
    'deployment-status success',
    'webhook succeeded',
    'dispatch succeeded',
  ]);
  const deployed = await store.environments.get(sampleRun('r1'));
  assert.deepEqual([deployed?.run, deployed?.deployedAt], ['r1', NOW]);
  assert.deepEqual(
    heard.map((item) => 'state' in item && item.state),
    ['running', 'succeeded'],
  );
  assert.deepEqual(ends, [ended]);
});

test('a run that is taken up again tells nothing, because nothing changed', async (t) => {
  const { store, transitions, create } = await setUp(t);
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  const before = await callbacksOf(store, 'r1');
  const again = await transitions.commit(running, { type: 'start' });
  assert.equal(again.attempts, 2);
  assert.deepEqual(await callbacksOf(store, 'r1'), before);
});

test('a superseded run ends with callbacks that say so and name the newer one (G4)', async (t) => {
  const { store, create } = await setUp(t);
  await create('r1');
  const changed = await create('r2', { sha: 'b'.repeat(40) });
  assert.deepEqual(
    changed.map(({ id, state }) => [id, state]),
    [
      ['r2', 'queued'],
      ['r1', 'superseded'],
    ],
  );
  const old = await get(store, 'r1');
  assert.equal(old.state, 'superseded');
  assert.equal(old.finishedAt, NOW);
  assert.match(old.reason, /^Superseded by bbbbbbb \(run r2\)$/);
  assert.deepEqual((await callbacksOf(store, 'r1')).slice(3), [
    'status error',
    'deployment-status inactive',
    'webhook superseded',
  ]);
});

test('the Deployment that a run takes the place of in its environment becomes inactive, and none that GitHub never showed', async (t) => {
  const { store, transitions, create } = await setUp(t);
  const deploy = async (id: string, more: Partial<NewRun> = {}) => {
    await create(id, { sha: id.repeat(20), ...more });
    const running = await transitions.commit(await get(store, id), { type: 'start' });
    await transitions.commit(running, { type: 'succeed', outputs: {} });
  };
  await deploy('r1');
  await deploy('r2');
  const last = (await store.outbox.ofRun('r1')).at(-1)?.callback;
  assert.deepEqual(last, {
    kind: 'deployment-status',
    repository: 'acme/storefront',
    runId: 'r1',
    environment: 'production',
    state: 'inactive',
    description: 'Replaced by r2r2r2r',
    logUrl: 'https://mainsheet.example/runs/r1',
  });
  await store.outbox.abandonTarget('deployment:r2', NOW, 'never shown');
  const before = await callbacksOf(store, 'r2');
  await deploy('r3');
  assert.deepEqual(await callbacksOf(store, 'r2'), before);
  await deploy('r4', { environment: 'staging' });
  assert.notEqual((await callbacksOf(store, 'r3')).at(-1), 'deployment-status inactive');
  await deploy('r5', { lane: 'other', environment: 'production' });
  assert.equal((await callbacksOf(store, 'r3')).at(-1), 'deployment-status inactive');
  assert.notEqual((await callbacksOf(store, 'r4')).at(-1), 'deployment-status inactive');
});

test('where two runs tell of one commit the newer has the last word', async (t) => {
  const { store, create } = await setUp(t);
  const sha = 'c'.repeat(40);
  await create('r1', { sha });
  await create('r2', { sha });
  const { items } = await store.outbox.list({ limit: 100, before: undefined }, {});
  const statuses = items.filter(({ callback }) => callback.kind === 'status').toReversed();
  assert.equal(new Set(statuses.map(({ target }) => target)).size, 1);
  assert.deepEqual(
    statuses.map(({ run, callback }) => `${run} ${tells(callback as AnyCallback)}`),
    ['r1 status pending', 'r1 status pending', 'r2 status pending'],
  );
});

test('a run that did nothing says of its commit what the run says that may still deploy it, and hides no check run of that one', async (t) => {
  const { store, transitions, create } = await setUp(t, {
    spec: 'feedback: [status, check]\nconcurrency: { queue: all, lane: main }',
  });
  const sha = 'c'.repeat(40);
  const told = async (run: string) =>
    (await store.outbox.ofRun(run)).flatMap((entry) => {
      const callback = entry.callback as AnyCallback;
      return callback.kind === 'status' ? `${callback.state}: ${callback.description}` : [];
    });
  await create('r1', { sha, state: 'blocked', reason: 'Waiting for 1 approval' });
  const reason = 'Superseded by ccccccc (run r1), whose delivery came later';
  await create('late', { sha, state: 'superseded', reason, finishedAt: NOW });
  assert.deepEqual(await told('late'), ['pending: Waiting for 1 approval']);
  assert.deepEqual(
    (await callbacksOf(store, 'late')).filter((one) => one.startsWith('check')),
    [],
  );

  await create('r2', { sha });
  await transitions.commit(await get(store, 'r2'), { type: 'cancel', reason: 'Cancelled by a' });
  assert.equal((await told('r2')).at(-1), 'pending: Waiting for 1 approval');
  await transitions.commit(await get(store, 'r1'), { type: 'cancel', reason: 'Cancelled by a' });
  assert.equal((await told('r1')).at(-1), 'error: Cancelled by a');
});

test('a run that did nothing leaves the last word to another only where that one will say it', async (t) => {
  const queue = 'concurrency: { queue: all, lane: main }';
  const { store, transitions, create } = await setUp(t, {
    spec: `feedback: [deployment]\n${queue}`,
  });
  const sha = 'c'.repeat(40);
  await create('r1', { sha });
  const told = load(`feedback: [status, check]\n${queue}`);
  await store.atomically((tables) =>
    transitions.create(tables, sampleRun('r2', { sha, specDigest: told.digest }), told),
  );
  await transitions.commit(await get(store, 'r2'), { type: 'cancel', reason: 'Cancelled by a' });
  const last = (await callbacksOf(store, 'r2')).findLast((one) => one.startsWith('status'));
  assert.equal(last, 'status error');
});

test('a running run is not superseded; with cancel-running it is asked to stop', async (t) => {
  const { store, transitions, create } = await setUp(t, {
    spec: 'concurrency: { cancel-running: true, lane: main }',
  });
  await create('r1');
  await transitions.commit(await get(store, 'r1'), { type: 'start' });
  const changed = await create('r2');
  assert.deepEqual(
    changed.map(({ id }) => id),
    ['r2', 'r1'],
  );
  const running = await get(store, 'r1');
  assert.equal(running.state, 'running');
  assert.equal(running.cancelRequested, 'Cancelled by newer run r2');
});

test('with queue all nothing is superseded', async (t) => {
  const { store, create } = await setUp(t, { spec: 'concurrency: { queue: all, lane: main }' });
  await create('r1');
  assert.equal((await create('r2')).length, 1);
  assert.equal((await get(store, 'r1')).state, 'queued');
});

test('only an App makes check runs', async (t) => {
  const kindsAs = async (feedback: 'app' | 'token') => {
    const { store, create } = await setUp(t, { feedback, spec: 'feedback: [check, status]' });
    await create('r1');
    return (await store.outbox.ofRun('r1')).map(({ callback }) => callback.kind);
  };
  assert.deepEqual(await kindsAs('app'), ['status', 'check', 'webhook']);
  assert.deepEqual(await kindsAs('token'), ['status', 'webhook']);
});

test('without credentials for GitHub only webhooks are put in the outbox', async (t) => {
  const { store, transitions, create } = await setUp(t, { feedback: undefined });
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  await transitions.commit(running, { type: 'succeed', outputs: {} });
  assert.deepEqual(await callbacksOf(store, 'r1'), ['webhook queued', 'webhook succeeded']);
});

test('a process that has lost a run cannot change it, and nothing is told', async (t) => {
  const { store, transitions, create, heard } = await setUp(t);
  await create('r1');
  const running = await transitions.commit(await get(store, 'r1'), { type: 'start' });
  await store.runs.own('r1', 'another', 9000, 6000);
  const before = await callbacksOf(store, 'r1');
  heard.length = 0;
  await assert.rejects(
    transitions.commit(running, { type: 'succeed', outputs: {} }, 'me'),
    LostRunError,
  );
  await assert.rejects(transitions.commit({ ...running, state: 'queued' }, { type: 'start' }), {
    code: 'run-lost',
  });
  assert.equal((await get(store, 'r1')).state, 'running');
  assert.deepEqual(await callbacksOf(store, 'r1'), before);
  assert.deepEqual(heard, []);
  await transitions.commit(running, { type: 'succeed', outputs: {} }, 'another');
});

test('a run whose snapshot cannot be read can still end, and GitHub hears of it', async (t) => {
  const { store, transitions } = await setUp(t);
  await store.runs.insert(sampleRun('r1', { specDigest: 'gone' }), []);
  await transitions.commit(await get(store, 'r1'), {
    type: 'fail',
    fault: 'mainsheet',
    reason: 'the snapshot cannot be read',
  });
  assert.deepEqual(await callbacksOf(store, 'r1'), ['status error', 'deployment-status error']);
});

test('a command that the state does not allow changes nothing', async (t) => {
  const { store, transitions, create } = await setUp(t);
  await create('r1');
  const cancelled = await transitions.commit(await get(store, 'r1'), {
    type: 'cancel',
    reason: 'Cancelled by admin',
  });
  const before = await callbacksOf(store, 'r1');
  await assert.rejects(transitions.commit(cancelled, { type: 'start' }), {
    code: 'illegal-transition',
  });
  assert.deepEqual(await get(store, 'r1'), cancelled);
  assert.deepEqual(await callbacksOf(store, 'r1'), before);
});
