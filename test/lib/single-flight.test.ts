import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMutex } from '../../src/lib/mutex.ts';
import { createSingleFlight, type Work } from '../../src/lib/single-flight.ts';

/** Work that ends when it is told to. */
function controlled() {
  const calls: {
    key: string;
    signal: AbortSignal;
    started: () => void;
    end: (error?: Error) => void;
  }[] = [];
  const work =
    (key: string): Work =>
    async (signal, started) => {
      await new Promise<void>((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
        signal.addEventListener('abort', () => end(new Error('aborted')));
        calls.push({ key, signal, started, end });
      });
    };
  const mutex = createMutex();
  const clock = { now: 10 };
  const flight = createSingleFlight(mutex, () => clock.now);
  const ask = (key: string, signal?: AbortSignal, since?: number) =>
    flight(key, work(key), { signal, since });
  const turn = async () => await new Promise((resolve) => setImmediate(resolve));
  return { calls, ask, mutex, turn, clock };
}

test('asks that come before the work has started share it', async () => {
  const { calls, ask, mutex, turn } = controlled();
  const asks = [ask('a/b'), ask('a/b'), ask('a/b')];
  await turn();
  calls[0]?.started();
  calls[0]?.end();
  await Promise.all(asks);
  assert.equal(calls.length, 1);
  assert.equal(mutex.isBusy('a/b'), false);
});

test('asks that come while the work goes on share the next one, which starts when the first is over', async () => {
  const { calls, ask, turn } = controlled();
  const first = ask('a/b');
  await turn();
  calls[0]?.started();
  const later = [ask('a/b'), ask('a/b')];
  await turn();
  assert.equal(calls.length, 1);
  calls[0]?.end();
  await first;
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.started();
  calls[1]?.end();
  await Promise.all(later);
  assert.equal(calls.length, 2);
});

test('work under way is shared by those for whom it was asked for late enough, and no longer when it is over', async () => {
  const { calls, ask, turn, clock } = controlled();
  const first = ask('a/b');
  await turn();
  calls[0]?.started();
  clock.now = 11;
  const content = ask('a/b', undefined, 10);
  const tooEarly = ask('a/b', undefined, 11);
  calls[0]?.end();
  await Promise.all([first, content]);
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.end();
  await tooEarly;
  const late = ask('a/b', undefined, 10);
  await turn();
  assert.equal(calls.length, 3);
  calls[2]?.end();
  await late;
});

test('work under way whose askers have left is not shared any more', async () => {
  const { calls, ask, turn } = controlled();
  const leaving = new AbortController();
  const left = ask('a/b', leaving.signal);
  await turn();
  calls[0]?.started();
  leaving.abort(new Error('enough'));
  const next = ask('a/b', undefined, 10);
  await assert.rejects(left);
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.end();
  await next;
});

test('failed work fails those who shared it, and not those who come later', async () => {
  const { calls, ask, turn } = controlled();
  const first = ask('a/b');
  await turn();
  calls[0]?.started();
  const second = ask('a/b');
  calls[0]?.end(new Error('no route'));
  await assert.rejects(first, /no route/);
  await turn();
  calls[1]?.end();
  await second;
});

test('two keys do not wait for each other', async () => {
  const { calls, ask, turn } = controlled();
  const asks = [ask('a/b'), ask('a/c')];
  await turn();
  assert.deepEqual(
    calls.map((call) => call.key),
    ['a/b', 'a/c'],
  );
  for (const call of calls) call.end();
  await Promise.all(asks);
});

test('an asker who leaves does not stop the work of the others; the last one does', async () => {
  const { calls, ask, turn } = controlled();
  const one = new AbortController();
  const two = new AbortController();
  const asks = [ask('a/b', one.signal), ask('a/b', two.signal)];
  await turn();
  one.abort();
  await assert.rejects(asks[0] ?? Promise.resolve(), { name: 'AbortError' });
  assert.equal(calls[0]?.signal.aborted, false);
  two.abort();
  await assert.rejects(asks[1] ?? Promise.resolve(), /aborted/);
  assert.equal(calls[0]?.signal.aborted, true);
});

test('an asker that comes after all others left gets work of its own', async () => {
  const { calls, ask, turn } = controlled();
  const controller = new AbortController();
  const left = ask('a/b', controller.signal);
  await turn();
  controller.abort();
  const stays = ask('a/b');
  await assert.rejects(left, /aborted/);
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.end();
  await stays;
});

test('an ask whose signal is aborted already is refused', async () => {
  const { calls, ask } = controlled();
  await assert.rejects(ask('a/b', AbortSignal.abort()), { name: 'AbortError' });
  assert.equal(calls.length, 0);
});
