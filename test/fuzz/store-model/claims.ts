import assert from 'node:assert/strict';
import type { Run } from '../../../src/model/run.ts';
import {
  claimableCallbacks,
  claimableDeliveries,
  claimableRuns,
  LEASE_MS,
  move,
  type Model,
} from './model.ts';
import type { World } from './world.ts';

/** A worker asks for a delivery: it gets one that may be claimed, and none only when there is none. */
export async function claimDelivery(model: Model, world: World, worker: string): Promise<boolean> {
  const claimed = await world.store.inbox.claim(model.now, LEASE_MS);
  const found = oneOf(claimableDeliveries(model), claimed?.delivery.id, 'delivery');
  if (found === undefined || claimed === undefined) return false;
  found.attempts += 1;
  found.leaseUntil = model.now + LEASE_MS;
  model.holds.push({ kind: 'delivery', worker, alive: true, claimed });
  return true;
}

/** A worker asks for callbacks: it gets as many as there are and it has room for. */
export async function claimCallbacks(
  model: Model,
  world: World,
  worker: string,
  limit: number,
): Promise<boolean> {
  const claimable = claimableCallbacks(model);
  const entries = await world.store.outbox.claim(model.now, LEASE_MS, limit);
  assert.equal(entries.length, Math.min(limit, claimable.length), 'callbacks claimed');
  assert.equal(new Set(entries.map((entry) => entry.target)).size, entries.length);
  for (const entry of entries) {
    const found = claimable.find(({ id }) => id === entry.id);
    assert.ok(found, `callback ${entry.id} may not be claimed now`);
    found.attempts += 1;
    found.leaseUntil = model.now + LEASE_MS;
    model.holds.push({ kind: 'callback', worker, alive: true, entry });
  }
  return entries.length > 0;
}

/** A worker asks for a run and starts it, as the runner does. */
export async function claimRun(model: Model, world: World, worker: string): Promise<boolean> {
  const claimable = claimableRuns(model, worker);
  const run = await takeRun(model, world, worker);
  oneOf(claimable, run?.id, 'run');
  if (run !== undefined) startRun(model, worker, run.id);
  return run !== undefined;
}

/** Two workers ask at the same moment: they never get the same run. */
export async function raceForRuns(model: Model, world: World): Promise<void> {
  const [first = '', second = ''] = model.workers;
  const [a, b] = await Promise.all([takeRun(model, world, first), takeRun(model, world, second)]);
  assert.ok(a === undefined || a.id !== b?.id, 'two workers got the same run (G3)');
  for (const [worker, run] of [
    [first, a],
    [second, b],
  ] as const) {
    if (run === undefined) continue;
    assert.ok(claimableRuns(model, worker).some(({ id }) => id === run.id));
  }
  if (a !== undefined) startRun(model, first, a.id);
  if (b !== undefined) startRun(model, second, b.id);
}

async function takeRun(
  { now, holds }: Model,
  { store, transitions }: World,
  worker: string,
): Promise<Run | undefined> {
  const mine = holds.flatMap((hold) =>
    hold.kind === 'run' && hold.alive && hold.worker === worker ? [hold.run] : [],
  );
  return await store.atomically(async (tables) => {
    const candidate = await tables.runs.nextRunnable(now, mine);
    if (candidate === undefined) return undefined;
    if (!(await tables.runs.own(candidate.id, worker, now + LEASE_MS, now))) return undefined;
    return await transitions.apply(tables, candidate, { type: 'start' }, worker);
  });
}

function startRun(model: Model, worker: string, id: string): void {
  const run = model.runs.find((one) => one.id === id);
  assert.ok(run);
  if (run.state !== 'running') move(run, 'running');
  run.attempts += 1;
  run.holder = worker;
  run.leaseUntil = model.now + LEASE_MS;
  model.holds.push({ kind: 'run', worker, alive: true, run: id });
}

function oneOf<Item extends { id: string }>(
  claimable: readonly Item[],
  id: string | undefined,
  what: string,
): Item | undefined {
  if (id === undefined) {
    assert.deepEqual(
      claimable.map((one) => one.id),
      [],
      `a ${what} could have been claimed and was not`,
    );
    return undefined;
  }
  const found = claimable.find((one) => one.id === id);
  assert.ok(found, `${what} ${id} may not be claimed now`);
  return found;
}
