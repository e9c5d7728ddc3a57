import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyMessage } from '../../../src/callbacks/index.ts';
import {
  createSimulation,
  HOUR,
  MINUTE,
  mostWithin,
  shaOf,
  type Simulation,
} from '../simulation.ts';

/** Runs at even distances over `hours`, round and round in the lanes; returns their ids. */
function planEvenly(
  world: Simulation,
  load: { perHour: number; hours: number; lanes: number },
): string[] {
  return Array.from({ length: load.perHour * load.hours }, (_, index) => {
    const id = `r${index}`;
    world.plan(id, index % load.lanes, (index * HOUR) / load.perHour);
    return id;
  });
}

/** Runs that come at random, the same each time, over `hours`. */
function planAtRandom(world: Simulation, load: { perHour: number; hours: number; lanes: number }) {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  let at = 0;
  for (let index = 0; at < load.hours * HOUR; index += 1) {
    world.plan(`r${index}`, index % load.lanes, at);
    at -= (Math.log(random()) * HOUR) / load.perHour;
  }
}

function assertWithinLimits(world: Simulation): void {
  const times = world.sent.map(({ at }) => at);
  assert.ok(mostWithin(times, MINUTE) <= 80, `${mostWithin(times, MINUTE)} writes in a minute`);
  assert.ok(mostWithin(times, HOUR) <= 500, `${mostWithin(times, HOUR)} writes in an hour`);
}

/** How long after its end each run's final status was sent; Infinity when it was not. */
function delays(world: Simulation): number[] {
  const final = new Map<string, number>();
  for (const { at, message } of world.sent) {
    if (message.kind === 'status' && message.state !== 'pending') final.set(message.sha, at);
  }
  return [...world.ended].map(([id, { at }]) => (final.get(shaOf(id)) ?? Infinity) - at);
}

const label = (message: AnyMessage) =>
  message.kind === 'status' || message.kind === 'deployment-status'
    ? `${message.kind} ${message.state}`
    : message.kind;

describe('the budget at GitHub (G10)', () => {
  test('at 60 runs an hour everything is shown of every run, within the limits', async (t) => {
    const world = await createSimulation(t);
    const ids = planEvenly(world, { perHour: 60, hours: 1.25, lanes: 2 });
    await world.pass(1.25 * HOUR + MINUTE, 10_000);
    assertWithinLimits(world);
    assert.equal(world.ended.size, ids.length);
    // The first of each lane takes nothing's place.
    assert.equal(world.sent.length, ids.length * 8 - 2);
    assert.deepEqual(
      world.sent
        .slice(-8)
        .map(({ message }) => label(message))
        .sort(),
      [
        'deployment',
        'deployment-status in_progress',
        'deployment-status inactive',
        'deployment-status success',
        'dispatch',
        'status pending',
        'status pending',
        'status success',
      ],
    );
    assert.equal(Math.max(...delays(world)), 0);
  });

  test('at 200 runs an hour, at random, the final states still arrive within a minute', async (t) => {
    const world = await createSimulation(t);
    planAtRandom(world, { perHour: 200, hours: 1.5, lanes: 10 });
    await world.pass(1.5 * HOUR + MINUTE, 10_000);
    assertWithinLimits(world);
    assert.ok(Math.max(...delays(world)) <= MINUTE, `${Math.max(...delays(world))} ms`);
    // What is behind them is sent too, as far as it goes: the hub hears of every run before Deployments are made.
    const dispatches = world.sent.filter(({ message }) => message.kind === 'dispatch').length;
    assert.ok(
      dispatches > 0.8 * world.ended.size,
      `${dispatches} of ${world.ended.size} dispatches`,
    );
  });

  test('at 1,000 runs an hour nothing is lost: the newest of each lane first, the rest when there is room', async (t) => {
    const world = await createSimulation(t);
    const ids = planEvenly(world, { perHour: 1000, hours: 0.3, lanes: 10 });
    await world.pass(0.3 * HOUR + MINUTE, 10_000);
    const newest = new Set(ids.slice(-10).map(shaOf));
    const first = await untilSent(world, newest);
    assert.ok(first <= 5 * MINUTE, `the newest of each lane took ${first} ms`);
    assert.ok(longestSilence(world) <= MINUTE, `nothing was shown for ${longestSilence(world)} ms`);
    await world.pass(2 * HOUR, 60_000);
    assertWithinLimits(world);
    assert.ok(delays(world).every(Number.isFinite), 'every run has its final status');
    const dispatched = new Set(
      world.sent.flatMap(({ message }) =>
        message.kind === 'dispatch' ? [message.payload['sha']] : [],
      ),
    );
    assert.equal(dispatched.size, ids.length);
    assert.deepEqual(await world.store.outbox.countOpen(), { pending: 0, dead: 0 });
    // What the environments run is shown, and it is the last word on them.
    for (const sha of newest) {
      assert.ok(
        world.sent.some(({ message }) => message.kind === 'deployment' && message.sha === sha),
      );
    }
  });

  test('a pending status is never sent after the final one, whatever was held back', async (t) => {
    const world = await createSimulation(t, { limits: { perMinute: 5, perHour: 40 } });
    planEvenly(world, { perHour: 60, hours: 1, lanes: 1 });
    await world.pass(4 * HOUR, 60_000);
    const finals = new Set<string>();
    for (const { message } of world.sent) {
      if (message.kind !== 'status') continue;
      assert.ok(!finals.has(message.sha), 'nothing comes after a final status');
      if (message.state !== 'pending') finals.add(message.sha);
    }
    assert.equal(finals.size, 60);
  });

  test('after a restart the writes of the hour before still count', async (t) => {
    const limits = { perMinute: 30, perHour: 30 };
    const world = await createSimulation(t, { limits });
    for (let index = 0; index < 20; index += 1) world.plan(`r${index}`, index, index * 1000);
    for (let round = 0; round < 10; round += 1) {
      await world.pass(5 * MINUTE, 15_000);
      await world.restart();
    }
    assert.ok(world.sent.length >= 20 && world.sent.length <= 30, `${world.sent.length} writes`);
  });
});

/** The longest time between two ends that were shown, in milliseconds. */
function longestSilence(world: Simulation): number {
  const times = world.sent.flatMap(({ at, message }) =>
    message.kind === 'status' && message.state !== 'pending' ? [at] : [],
  );
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)));
}

/** Lets time pass until the final status of all of these commits was sent, and answers how long it took. */
async function untilSent(world: Simulation, shas: ReadonlySet<string>): Promise<number> {
  const begin = world.now();
  const missing = () => {
    const seen = new Set(
      world.sent.flatMap(({ message }) =>
        message.kind === 'status' && message.state !== 'pending' ? [message.sha] : [],
      ),
    );
    return [...shas].some((sha) => !seen.has(sha));
  };
  while (missing() && world.now() - begin < HOUR) await world.pass(5000);
  return world.now() - begin;
}
