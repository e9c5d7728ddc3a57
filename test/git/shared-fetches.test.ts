import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSharedFetches } from '../../src/git/shared-fetches.ts';

/** Fetches that end when told to. */
function controlled() {
  const calls: {
    repository: string;
    signal: AbortSignal;
    started: () => void;
    end: (error?: Error) => void;
  }[] = [];
  const fetches = createSharedFetches(async (repository, signal, started) => {
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
      signal.addEventListener('abort', () => end(new Error('aborted')));
      calls.push({ repository, signal, started, end });
    });
  });
  const turn = async () => await new Promise((resolve) => setImmediate(resolve));
  return { calls, fetches, turn };
}

test('asks that come before the fetch has started share it', async () => {
  const { calls, fetches } = controlled();
  const asks = [fetches.ask('a/b'), fetches.ask('A/b'), fetches.ask('a/b')];
  calls[0]?.started();
  calls[0]?.end();
  await Promise.all(asks);
  assert.equal(calls.length, 1);
  assert.equal(fetches.isBusy('a/b'), false);
});

test('asks that come while a fetch runs share the next one, which starts when the first is over', async () => {
  const { calls, fetches, turn } = controlled();
  const first = fetches.ask('a/b');
  calls[0]?.started();
  const later = [fetches.ask('a/b'), fetches.ask('a/b')];
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

test('a failed fetch fails those who shared it, and not those who come later', async () => {
  const { calls, fetches, turn } = controlled();
  const first = fetches.ask('a/b');
  calls[0]?.started();
  const second = fetches.ask('a/b');
  calls[0]?.end(new Error('no route'));
  await assert.rejects(first, /no route/);
  await turn();
  calls[1]?.end();
  await second;
});

test('two repositories do not wait for each other', async () => {
  const { calls, fetches } = controlled();
  const asks = [fetches.ask('a/b'), fetches.ask('a/c')];
  assert.deepEqual(
    calls.map((call) => call.repository),
    ['a/b', 'a/c'],
  );
  for (const call of calls) call.end();
  await Promise.all(asks);
});

test('an asker who leaves does not stop the fetch of the others; the last one does', async () => {
  const { calls, fetches } = controlled();
  const one = new AbortController();
  const two = new AbortController();
  const asks = [fetches.ask('a/b', one.signal), fetches.ask('a/b', two.signal)];
  one.abort();
  await assert.rejects(asks[0] ?? Promise.resolve(), /was stopped/);
  assert.equal(calls[0]?.signal.aborted, false);
  two.abort();
  await assert.rejects(asks[1] ?? Promise.resolve(), /aborted/);
  assert.equal(calls[0]?.signal.aborted, true);
});

test('who comes after everybody left gets a fetch of its own', async () => {
  const { calls, fetches, turn } = controlled();
  const controller = new AbortController();
  const left = fetches.ask('a/b', controller.signal);
  controller.abort();
  const stays = fetches.ask('a/b');
  await assert.rejects(left, /aborted/);
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.end();
  await stays;
});

test('an ask whose signal is aborted already is refused', async () => {
  const { calls, fetches } = controlled();
  await assert.rejects(fetches.ask('a/b', AbortSignal.abort()), { code: 'git-stopped' });
  assert.equal(calls.length, 0);
});
