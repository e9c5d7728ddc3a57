import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckoutRequest } from '../../src/git/checkouts.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { TerminalError } from '../../src/lib/errors.ts';
import type { NewRun } from '../../src/model/run.ts';
import { checkOut } from '../../src/runs/check-out.ts';
import type { Pipeline, PipelineDeps } from '../../src/runs/pipeline-context.ts';
import { sampleRun } from '../store/samples.ts';
import { sampleLoaded } from './samples.ts';

const CHECKOUT = { directory: '/work', sha: 'a'.repeat(40), name: 'one', kept: false };

/** Checks out with what git and the order of revisions say. */
async function checkedOut(
  whyNot: () => Promise<string | undefined>,
  prepare: (request: Pick<CheckoutRequest, 'onStart'>) => Promise<object>,
  { run = sampleRun('r1'), clock = systemClock }: { run?: NewRun; clock?: Clock } = {},
) {
  const deps = { clock, ordering: { whyNotToDeploy: whyNot }, checkouts: { prepare } };
  const { signal } = new AbortController();
  const pipeline = {
    run,
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

test("a pull request's commit that git does not show yet is looked for again, until its run is five minutes old", async () => {
  const run = sampleRun('r1', { event: 'pull_request', ref: 'refs/pull/7/head', createdAt: 1000 });
  let now = run.createdAt;
  const clock = {
    now: () => now,
    elapsed: () => now,
    sleep: async (ms: number) => void (now += ms),
  };
  let tries = 0;
  const after = (shown: number) => async () => {
    tries += 1;
    if (tries < shown) throw new TerminalError('commit-missing', 'not there yet');
    return CHECKOUT;
  };
  assert.deepEqual(await checkedOut(async () => undefined, after(5), { run, clock }), CHECKOUT);
  const never = checkedOut(async () => undefined, after(Infinity), { run, clock });
  await assert.rejects(never, { code: 'commit-missing' });
  assert.ok(now - run.createdAt > 4 * 60_000);
});
