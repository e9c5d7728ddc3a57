import assert from 'node:assert/strict';
import { claimCallbacks, claimDelivery, claimRun } from './claims.ts';
import { checkDrained, checkInvariants } from './invariants.ts';
import { LEASE_MS, type Hold, type Model } from './model.ts';
import { resend } from './operator.ts';
import { workOnCallback, workOnDelivery, workOnRun } from './work.ts';
import type { World } from './world.ts';

/** A bound on what is done to the end, so that a store that never says "nothing more" is found out. */
const MOST_TURNS = 1000;

/** Everybody else is gone, their leases end, and one worker does all that is left. Then nothing is open (G6). */
export async function drain(model: Model, world: World): Promise<void> {
  model.now += 10 * LEASE_MS;
  world.clock.time = model.now;
  const worker = 'the last';
  await resend(model, world, 'all');
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const found =
      (await claimDelivery(model, world, worker)) ||
      (await claimRun(model, world, worker)) ||
      (await claimCallbacks(model, world, worker, 8));
    if (!found) {
      checkDrained(model);
      return;
    }
    for (const hold of model.holds) {
      if (hold.worker === worker && hold.alive) await finish(model, world, hold);
    }
    await checkInvariants(model, world.store);
  }
  assert.fail('there was no end of it');
}

async function finish(model: Model, world: World, hold: Hold): Promise<void> {
  if (hold.kind === 'delivery') await workOnDelivery(model, world, hold, 'plan');
  else if (hold.kind === 'run') await workOnRun(model, world, hold, 'succeed');
  else await workOnCallback(model, world, hold, 'send');
}
