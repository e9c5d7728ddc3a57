import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { createWakeup } from '../../src/lib/wakeup.ts';

/** Longer than any test, and short enough that one that is broken ends. */
const FOR_EVER = 60_000;

test('who waits is woken', async () => {
  const wakeup = createWakeup();
  const waiting = wakeup.wait(FOR_EVER, new AbortController().signal);
  wakeup.wake();
  await waiting;
});

test('a wake that comes while nothing waits is not lost, and counts once', async () => {
  const wakeup = createWakeup();
  const { signal } = new AbortController();
  wakeup.wake();
  wakeup.wake();
  await wakeup.wait(FOR_EVER, signal);
  let woken = false;
  const second = wakeup.wait(FOR_EVER, signal).then(() => (woken = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(woken, false);
  wakeup.wake();
  await second;
});

test('a wait ends by itself, and when it is aborted', async () => {
  const wakeup = createWakeup();
  const controller = new AbortController();
  await wakeup.wait(1, controller.signal);
  const waiting = wakeup.wait(FOR_EVER, controller.signal);
  controller.abort();
  await waiting;
  await wakeup.wait(FOR_EVER, controller.signal);
});

test('thousands of waits leave nothing on the signal that outlives them, and no timer', async () => {
  const wakeup = createWakeup();
  const controller = new AbortController();
  const { signal } = controller;
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  for (let index = 0; index < 1000; index += 1) {
    const waiting = wakeup.wait(FOR_EVER, signal);
    wakeup.wake();
    await waiting;
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  const waiting = wakeup.wait(FOR_EVER, signal);
  controller.abort();
  await waiting;
  assert.equal(timers(), before);
});
