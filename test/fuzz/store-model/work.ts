import assert from 'node:assert/strict';
import { isObsolete } from '../../../src/callbacks/index.ts';
import { MainsheetError } from '../../../src/lib/errors.ts';
import { newId } from '../../../src/lib/ids.ts';
import type { PushEvent } from '../../../src/model/event.ts';
import type { RunCommand } from '../../../src/model/run-state.ts';
import type { Run } from '../../../src/model/run.ts';
import { planRun } from '../../../src/runs/plan.ts';
import {
  addRun,
  laneOf,
  LEASE_MS,
  move,
  OUTCOME,
  type Hold,
  type Model,
  type RunModel,
} from './model.ts';
import { SPECS, type World } from './world.ts';

type DeliveryHold = Extract<Hold, { kind: 'delivery' }>;
type CallbackHold = Extract<Hold, { kind: 'callback' }>;
type RunHold = Extract<Hold, { kind: 'run' }>;

/** With so many attempts a delivery that is put back is deferred. */
const DEFER_AFTER = 3;

/** What holders do with deliveries. `dies`: the process is killed just before it commits. */
export type DeliveryWork = 'plan' | 'dies' | 'fail' | 'postpone' | 'renew';
export type CallbackWork = 'send' | 'give up' | 'postpone' | 'renew';
export type RunWork = 'succeed' | 'fail' | 'break' | 'cancel' | 'release' | 'renew';

/** A holder that has lost its claim writes nothing: only the latest claim of what is still open counts. */
export async function workOnDelivery(
  model: Model,
  world: World,
  hold: DeliveryHold,
  work: DeliveryWork,
): Promise<void> {
  const { store } = world;
  const { id, attempts } = hold.claimed.delivery;
  const delivery = model.deliveries.find((one) => one.id === id);
  assert.ok(delivery);
  const holds = delivery.state === 'pending' && delivery.attempts === attempts;
  if (work === 'renew') {
    const until = model.now + LEASE_MS;
    // A holder that has given it back holds it no longer, though no other has it yet.
    const renews = holds && delivery.leaseUntil > 0;
    assert.equal(await store.inbox.renew(hold.claimed, until), renews);
    if (renews) delivery.leaseUntil = until;
    return;
  }
  hold.alive = false;
  if (work === 'postpone') {
    const deferred = attempts >= DEFER_AFTER;
    await store.inbox.postpone(id, model.now + 50, 'later', attempts, deferred);
    if (holds) {
      Object.assign(delivery, { leaseUntil: 0, dueAt: model.now + 50 });
      delivery.deferred ||= deferred;
    }
  } else if (work === 'fail') {
    assert.equal(await store.inbox.close(id, 'failed', OUTCOME, model.now, attempts), holds);
    if (holds) delivery.state = 'failed';
  } else {
    const made = await plan(model, world, hold, work === 'dies');
    assert.equal(made !== undefined, holds && work !== 'dies', 'whether the delivery was closed');
    if (made === undefined) return;
    delivery.state = 'processed';
    for (const run of made) addRun(model, toModel(run));
  }
}

/** The runs of a delivery and its end in one transaction, as the intake writes them; undefined when it was undone. */
async function plan(
  model: Model,
  { store, transitions }: World,
  { claimed }: DeliveryHold,
  dies: boolean,
): Promise<Run[] | undefined> {
  const { id, repository, attempts } = claimed.delivery;
  const event = pushTo(repository ?? '', JSON.parse(claimed.payload) as string);
  try {
    return await store.atomically(async (tables) => {
      const made: Run[] = [];
      for (const loaded of SPECS.filter(({ spec }) => spec.repository === repository)) {
        const seed = { delivery: id, event, sha: event.sha ?? '', cause: 'event' } as const;
        const planned = planRun(seed, loaded, newId(model.now), model.now);
        const [run] = await transitions.create(tables, planned, loaded);
        if (run !== undefined) made.push(run);
      }
      const closed = await tables.inbox.close(id, 'processed', OUTCOME, model.now, attempts);
      if (!closed || dies) throw new UndoneError('undone', 'the transaction is taken back');
      return made;
    });
  } catch (error) {
    if (error instanceof UndoneError) return undefined;
    throw error;
  }
}

class UndoneError extends MainsheetError {}

export async function workOnCallback(
  model: Model,
  { store }: World,
  hold: CallbackHold,
  work: CallbackWork,
): Promise<void> {
  const { entry } = hold;
  const callback = model.callbacks.find(({ id }) => id === entry.id);
  assert.ok(callback);
  const holds = callback.state === 'pending' && callback.attempts === entry.attempts;
  if (work === 'renew') {
    const until = model.now + LEASE_MS;
    const renews = holds && callback.leaseUntil > 0;
    assert.equal(await store.outbox.renew(entry, until), renews);
    if (renews) callback.leaseUntil = until;
    return;
  }
  hold.alive = false;
  if (work === 'postpone') {
    await store.outbox.postpone(entry.id, model.now + 50, 'later', entry.attempts);
    if (holds) Object.assign(callback, { leaseUntil: 0, dueAt: model.now + 50 });
    return;
  }
  const later = await store.outbox.laterInTarget([entry]);
  const isPointless = later.some((other) => isObsolete(entry.callback, other.callback));
  const end = isPointless ? 'obsolete' : work === 'send' ? 'sent' : 'dead';
  const finished = await store.outbox.finish(entry.id, end, model.now, undefined, entry.attempts);
  assert.equal(finished, holds, `whether callback ${entry.id} was finished`);
  if (holds) callback.state = end;
}

export async function workOnRun(
  model: Model,
  world: World,
  hold: RunHold,
  work: RunWork,
): Promise<void> {
  const { store, transitions } = world;
  const run = model.runs.find(({ id }) => id === hold.run);
  assert.ok(run);
  const holds = run.state === 'running' && run.holder === hold.worker;
  if (work === 'renew') {
    const until = model.now + LEASE_MS;
    const renewed = await store.runs.renew(run.id, hold.worker, until);
    // A run that was given back is renewed no longer, though no other process has it yet.
    const renews = holds && run.leaseUntil > 0;
    assert.equal(renewed !== undefined, renews, 'whether the lease was renewed');
    assert.equal(renewed?.cancelRequested !== undefined, renews && run.cancelRequested);
    if (renews) run.leaseUntil = until;
    return;
  }
  hold.alive = false;
  if (work === 'release') {
    await store.runs.release(run.id, hold.worker);
    if (holds) run.leaseUntil = 0;
    return;
  }
  const latest = await store.runs.get(run.id);
  assert.ok(latest);
  const commit = transitions.commit(latest, COMMANDS[work], hold.worker);
  if (!holds) {
    await assert.rejects(commit, { code: /^(run-lost|illegal-transition)$/ });
    return;
  }
  const ended = await commit;
  move(run, ended.state);
  run.fault = ended.fault;
  if (ended.state === 'succeeded') {
    model.deployed.set(`${laneOf(run)} ${run.loaded.spec.name}`, run.id);
  }
}

const COMMANDS: Record<Exclude<RunWork, 'renew' | 'release'>, RunCommand> = {
  succeed: { type: 'succeed', outputs: { url: 'x' } },
  fail: { type: 'fail', fault: 'step', reason: 'exit code 1' },
  break: { type: 'fail', fault: 'mainsheet', reason: 'no checkout' },
  cancel: { type: 'cancel', reason: 'Cancelled' },
};

/** A run that was just made, as the model knows it. */
export function toModel(run: Run): RunModel {
  const loaded = SPECS.find(({ spec }) => spec.name === run.spec);
  assert.ok(loaded);
  return {
    id: run.id,
    loaded,
    sha: run.sha,
    delivery: run.delivery,
    cause: run.cause,
    state: run.state,
    fault: undefined,
    history: [run.state],
    holder: undefined,
    leaseUntil: 0,
    attempts: 0,
    cancelRequested: false,
  };
}

function pushTo(repository: string, sha: string): PushEvent {
  return {
    kind: 'push',
    repository,
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    before: undefined,
    sha,
    created: false,
    deleted: false,
    forced: false,
    changedPaths: { complete: false, reason: 'not asked' },
  };
}
