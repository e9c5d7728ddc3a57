import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckoutRequest } from '../../src/git/checkouts.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { TerminalError } from '../../src/lib/errors.ts';
import { checkOut } from '../../src/runs/check-out.ts';
import type { Pipeline, PipelineDeps } from '../../src/runs/pipeline-context.ts';
import { sampleRun } from '../store/samples.ts';
import { sampleLoaded } from './samples.ts';

const CHECKOUT = { directory: '/work', sha: 'a'.repeat(40), name: 'one', kept: false };

/** Checks out with what git and the order of revisions say. */
async function checkedOut(
  whyNot: () => Promise<string | undefined>,
  prepare: (request: Pick<CheckoutRequest, 'onStart'>) => Promise<object>,
) {
  const deps = { clock: systemClock, ordering: { whyNotToDeploy: whyNot }, checkouts: { prepare } };
  const { signal } = new AbortController();
  const pipeline = {
    run: sampleRun('r1'),
    spec: sampleLoaded().spec,
    log: { say: () => {} },
    signal,
  };
  return await checkOut(deps as unknown as PipelineDeps, pipeline as unknown as Pipeline, {
    deadline: Infinity,
    keep: undefined,
    begun: false,
  });
}

test('whether a revision comes late is asked while git checks it out', async () => {
  const asked = Promise.withResolvers<void>();
  let isStarted = false;
  const place = await checkedOut(
    async () => {
      assert.ok(isStarted);
      asked.resolve();
      return undefined;
    },
    async ({ onStart }) => {
      await new Promise((resolve) => setImmediate(resolve));
      isStarted = true;
      onStart?.();
      await asked.promise;
      return CHECKOUT;
    },
  );
  assert.deepEqual(place, CHECKOUT);
});

test('a revision that came late is superseded, also when it cannot be checked out any more, and not before git is done', async () => {
  let isDone = false;
  const place = await checkedOut(
    async () => 'it came late',
    async () => {
      await new Promise((resolve) => setImmediate(resolve));
      isDone = true;
      throw new TerminalError('commit-missing', 'it is gone');
    },
  );
  assert.deepEqual(place, { superseded: 'it came late' });
  assert.ok(isDone);
});
