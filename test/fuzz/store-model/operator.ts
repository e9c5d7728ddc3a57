import { stoodBefore } from '../../../src/model/standing.ts';
import assert from 'node:assert/strict';
import { hasEnded } from '../../../src/model/run.ts';
import { addRun, laneOf, move, type Model, type RunModel } from './model.ts';
import { toModel } from './work.ts';
import type { World } from './world.ts';

/** An operator stops a run: at once while it waits; who runs it is asked to. */
export async function cancel(model: Model, { operate }: World, run: RunModel): Promise<void> {
  if (hasEnded(run.state)) {
    await assert.rejects(operate.cancel(run.id, 'me'), { code: 'illegal-transition' });
    return;
  }
  await operate.cancel(run.id, 'me');
  if (run.state === 'running') run.cancelRequested = true;
  else move(run, 'cancelled');
}

/** An operator runs the same again; a newer revision that waits keeps its place. */
export async function retry(model: Model, { operate }: World, run: RunModel): Promise<void> {
  if (!hasEnded(run.state)) {
    await assert.rejects(operate.retry(run.id, 'me'), { code: 'illegal-transition' });
    return;
  }
  const newer = model.runs
    .slice(model.runs.indexOf(run) + 1)
    .some((other) => other.loaded === run.loaded && other.state === 'queued');
  const made = await operate.retry(run.id, 'me');
  const waits = run.loaded.spec.concurrency.queue === 'all' || !newer;
  assert.equal(made.state, waits ? 'queued' : 'superseded');
  assert.equal(made.sha, run.sha);
  addRun(model, toModel(made));
}

/** An operator deploys what was deployed before a run. */
export async function rollback(model: Model, { operate }: World, run: RunModel): Promise<void> {
  const earlier = model.runs
    .slice(0, model.runs.indexOf(run))
    .filter(
      (other) =>
        other.loaded === run.loaded && laneOf(other) === laneOf(run) && other.state === 'succeeded',
    );
  const [target] = stoodBefore(run, earlier);
  if (target === undefined) {
    await assert.rejects(operate.rollback(run.id, 'me'), { code: 'nothing-to-roll-back-to' });
    return;
  }
  const { run: made } = await operate.rollback(run.id, 'me', { resume: true });
  assert.deepEqual([made.sha, made.state], [target.sha, 'queued']);
  addRun(model, toModel(made));
}

/** An operator has a dead callback sent again; or all of them. */
export async function resend(
  model: Model,
  { operate }: World,
  which: number | 'all',
): Promise<void> {
  const revive = (index: number): void => {
    const callback = model.callbacks[index];
    if (callback?.state === 'dead') {
      Object.assign(callback, { state: 'pending', attempts: 1, leaseUntil: 0, dueAt: model.now });
    }
  };
  if (which === 'all') {
    const dead = model.callbacks.filter(({ state }) => state === 'dead').length;
    assert.equal(await operate.resendAll('me'), dead);
    for (const index of model.callbacks.keys()) revive(index);
    return;
  }
  const callback = model.callbacks[which];
  if (callback?.state === 'dead') await operate.resend(callback.id, 'me');
  else await assert.rejects(operate.resend(callback?.id ?? -1, 'me'), { code: /^entry-/ });
  if (callback?.state !== 'dead') return;
  // What died of the same Deployment comes with it.
  const isShared = callback.target.startsWith('deployment:');
  for (const [index, { target }] of model.callbacks.entries()) {
    if (index === which || (isShared && target === callback.target)) revive(index);
  }
}
