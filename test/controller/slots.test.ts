import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots } from '../../src/controller/slots.ts';

test('a slot is taken as long as its work goes on, and its end is told when it is free', async () => {
  const rooms: number[] = [];
  const slots = createSlots(2, () => rooms.push(slots.room()));
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const filled = slots.fill(one.promise);
  void slots.fill(two.promise);
  assert.equal(slots.room(), 0);
  one.resolve();
  await filled;
  assert.equal(slots.room(), 1);
  two.resolve();
  await slots.settled();
  assert.deepEqual(rooms, [1, 2]);
});

test('what is under way is waited for, and nothing else', async () => {
  const slots = createSlots(2, () => {});
  await slots.settled();
  const work = Promise.withResolvers<void>();
  void slots.fill(work.promise);
  let settled = false;
  const waiting = slots.settled().then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  work.resolve();
  await waiting;
});
