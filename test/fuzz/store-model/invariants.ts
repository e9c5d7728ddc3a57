import assert from 'node:assert/strict';
import { kindOf, type AnyCallback } from '../../../src/callbacks/index.ts';
import { hasEnded, type Run } from '../../../src/model/run.ts';
import type { OutboxEntry } from '../../../src/store/outbox.ts';
import type { Store, Tables } from '../../../src/store/index.ts';
import {
  claimableCallbacks,
  claimableDeliveries,
  claimableRuns,
  laneOf,
  LEASE_MS,
  type Model,
  OUTCOME,
  type RunModel,
} from './model.ts';

const ALL = { limit: 100_000, before: undefined };
/** It is asked now and then what there is to take: when something that was put off just now is due, and leases still last. */
const LATER_MS = [0, LEASE_MS / 2];

/** What must hold after each command, whatever came before. */
export async function checkInvariants(model: Model, store: Store): Promise<void> {
  await checkDeliveries(model, store);
  const runs = (await store.runs.list(ALL, {})).items.toReversed();
  checkRuns(model, runs);
  await checkOutbox(model, store);
  for (const ms of LATER_MS) await checkNext({ ...model, now: model.now + ms }, store);
  const deployed = (await store.environments.list()).map(({ lane, spec, run }) => [
    `${lane} ${spec}`,
    run,
  ]);
  assert.deepEqual(new Map(deployed as [string, string][]), model.deployed, 'what is deployed');
}

/** Each delivery id is there once, in the order of arrival, in the state that it was brought to. */
async function checkDeliveries({ deliveries }: Model, store: Store): Promise<void> {
  const { items } = await store.inbox.list(ALL);
  assert.deepEqual(
    items.toReversed().map(({ id, state, attempts, outcome }) => ({
      id,
      state,
      attempts,
      // What was said of it while it waited says nothing of it any more.
      outcome: state === 'pending' ? undefined : outcome,
    })),
    deliveries.map(({ id, state, attempts }) => ({
      id,
      state,
      attempts,
      outcome: state === 'pending' ? undefined : OUTCOME,
    })),
    'the inbox',
  );
}

function checkRuns(model: Model, runs: readonly Run[]): void {
  assert.deepEqual(
    runs.map(({ id, state, attempts, cancelRequested }) => ({
      id,
      state,
      attempts,
      cancelRequested: cancelRequested !== undefined,
    })),
    model.runs.map(({ id, state, attempts, cancelRequested }) => ({
      id,
      state,
      attempts,
      cancelRequested,
    })),
    'the runs',
  );
  // What follows asks the rows alone, so that a model that is wrong in the same way hides nothing.
  const running = runs.filter((run) => run.state === 'running').map((run) => run.lane);
  assert.equal(new Set(running).size, running.length, 'two runs run in one lane (G3)');
  const made = runs
    .filter((run) => run.cause === 'event')
    .map((run) => `${run.delivery} ${run.spec}`);
  assert.equal(new Set(made).size, made.length, 'a delivery made two runs of a spec (G2)');
  for (const run of runs) {
    const before = model.ended.get(run.id);
    if (before !== undefined) assert.deepEqual(run, before, 'a run that had ended has changed');
    else if (hasEnded(run.state)) model.ended.set(run.id, run);
    assert.equal(hasEnded(run.state), run.finishedAt !== undefined);
  }
}

/**
 * The store and the model agree on what there is to take: who has lost something can neither keep nor free it, and what was
 * put off is not taken before its time and not after it. It is only asked: nothing is claimed.
 */
async function checkNext(model: Model, store: Store): Promise<void> {
  const { now } = model;
  const runs = idsOf(claimableRuns(model, 'not taken yet'));
  const run = (await store.runs.nextRunnable(now))?.id;
  checkFirst(runs, run, 'run');

  const asked = await takenBack(store, async ({ inbox, outbox }) => ({
    delivery: (await inbox.claim(now, LEASE_MS))?.delivery.id,
    callbacks: (await outbox.claim(now, LEASE_MS, ALL.limit)).map(({ id }) => id),
  }));
  checkFirst(idsOf(claimableDeliveries(model)), asked.delivery, 'delivery');
  const callbacks = claimableCallbacks(model).map(({ id }) => id);
  assert.deepEqual(asked.callbacks.toSorted(byNumber), callbacks, 'the callbacks to take');
}

const idsOf = (items: readonly { id: string }[]) => items.map(({ id }) => id);
const byNumber = (a: number, b: number) => a - b;

function checkFirst(claimable: readonly string[], id: string | undefined, what: string): void {
  assert.equal(id !== undefined, claimable.length > 0, `whether there is a ${what} to take`);
  if (id !== undefined) assert.ok(claimable.includes(id), `the ${what} to take`);
}

/** What `work` answers in a transaction that is then taken back. */
async function takenBack<Answer>(
  store: Store,
  work: (tables: Tables) => Promise<Answer>,
): Promise<Answer> {
  const back = new Error('taken back');
  let answer: { given: Answer } | undefined;
  await assert.rejects(
    store.atomically(async (tables) => {
      answer = { given: await work(tables) };
      throw back;
    }),
    (error) => {
      if (error !== back) throw error;
      return true;
    },
  );
  assert.ok(answer);
  return answer.given;
}

/** Every callback tells of a state that its run was in, in the order in which it was in them, and none is missing (G5). */
async function checkOutbox(model: Model, store: Store): Promise<void> {
  const entries = (await store.outbox.list(ALL, {})).items.toReversed();
  for (const entry of entries.slice(model.callbacks.length)) {
    const { id, target, state, attempts, nextAttemptAt } = entry;
    model.callbacks.push({ id, target, state, attempts, leaseUntil: 0, dueAt: nextAttemptAt });
  }
  assert.deepEqual(
    entries.map(({ id, target, state, attempts, nextAttemptAt: dueAt }) => ({
      id,
      target,
      state,
      attempts,
      dueAt,
    })),
    model.callbacks.map(({ id, target, state, attempts, dueAt }) => ({
      id,
      target,
      state,
      attempts,
      dueAt,
    })),
    'the outbox',
  );
  for (const run of model.runs) {
    const own = entries.filter((entry) => entry.run === run.id);
    const statuses = statesOf(own, 'status');
    assert.deepEqual(statuses, expectedStatuses(run, statuses, model), `statuses of ${run.id}`);
    assert.deepEqual(
      statesOf(own, 'deployment-status'),
      expectedDeployments(run, !new Set(model.deployed.values()).has(run.id)),
      `deployment statuses of ${run.id}`,
    );
    const made = own.filter(({ callback }) => callback.kind === 'deployment').length;
    assert.equal(made, run.history[0] === 'queued' ? 1 : 0, `deployments of ${run.id}`);
  }
}

function statesOf(entries: readonly OutboxEntry[], kind: AnyCallback['kind']): string[] {
  return entries.flatMap(({ callback }) =>
    callback.kind === kind ? [kindOf(callback).tells(callback)] : [],
  );
}

/**
 * Of `shown` counts which one it is where another run has deployed the commit, before this one ended or after it, and where another
 * one of the lane may still deploy it, or might then.
 */
function expectedStatuses(run: RunModel, shown: readonly string[], { runs }: Model): string[] {
  const ofCommit = runs.filter(({ loaded, sha }) => loaded === run.loaded && sha === run.sha);
  const isDeployed = ofCommit.some(({ state }) => state === 'succeeded');
  const hasOther = ofCommit.some((other) => other.id !== run.id && laneOf(other) === laneOf(run));
  return run.history.map((state, index) => {
    const didNothing = state === 'superseded' || state === 'cancelled';
    if (isDeployed && didNothing && shown[index] === 'success') return 'success';
    if (hasOther && didNothing && shown[index] === 'pending') return 'pending';
    if (!hasEnded(state)) return 'pending';
    if (state === 'succeeded') return 'success';
    return state === 'failed' && run.fault === 'step' ? 'failure' : 'error';
  });
}

function expectedDeployments(run: RunModel, isReplaced: boolean): string[] {
  if (run.history[0] !== 'queued') return [];
  const last = run.state === 'succeeded' && isReplaced ? ['inactive'] : [];
  // The first is queued: the Deployment is pending by itself.
  const states = run.history.slice(1).map((state) => {
    if (state === 'running') return 'in_progress';
    if (state === 'succeeded') return 'success';
    if (state !== 'failed') return 'inactive';
    return run.fault === 'step' ? 'failure' : 'error';
  });
  return [...states, ...last];
}

/** Nothing is left open: to be asked when everything was done that can be done. */
export function checkDrained(model: Model): void {
  assert.deepEqual(
    model.deliveries.filter(({ state }) => state === 'pending'),
    [],
  );
  assert.deepEqual(
    model.runs.filter(({ state }) => !hasEnded(state)).map((run) => `${run.id} ${laneOf(run)}`),
    [],
  );
  const last = new Map(model.callbacks.map((callback) => [callback.target, callback]));
  for (const { target, state } of last.values()) {
    assert.equal(state, 'sent', `the last word on ${target} was not sent`);
  }
}
