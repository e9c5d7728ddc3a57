import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Run } from '../../../src/model/run.ts';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';
import { sampleRun } from '../samples.ts';

export function runLeasesContract(withStore: WithStore): void {
  describe('the next run to start', () => {
    test(
      'is the oldest of all lanes that are free',
      withStore(async (store) => {
        await insert(store, 'r1', 'busy', 'running');
        await insert(store, 'r2', 'busy');
        await insert(store, 'r3', 'free');
        await insert(store, 'r4', 'free');
        await insert(store, 'r5', 'also free');
        await own(store, 'r1', 'me', 5000);
        assert.equal(await nextId(store, 2000), 'r3');
        await run(store, 'r3', 5000);
        assert.equal(await nextId(store, 2000), 'r5');
        await run(store, 'r5', 5000);
        assert.equal(await nextId(store, 2000), undefined);
        await end(store, 'r1');
        assert.equal(await nextId(store, 2000), 'r2');
      }),
    );

    test(
      'is none while a run of its spec that is in the same environment runs or has its turn before in another lane',
      withStore(async (store) => {
        const moved = { lane: 'moved', environment: 'main' };
        const job = {
          lane: 'job',
          environment: 'main',
          event: 'deployment_protection_rule',
        } as const;
        await insert(store, 'r1', 'main', 'running');
        await own(store, 'r1', 'me', 5000);
        await insert(store, 'r2', 'main', 'blocked');
        await store.runs.insert(sampleRun('r3', moved), []);
        await store.runs.insert(sampleRun('r4', { ...moved, lane: 'x', spec: 'another' }), []);
        assert.equal(await nextId(store, 2000), 'r4', 'another spec may be in that environment');
        await run(store, 'r4', 5000);
        assert.equal(await nextId(store, 2000), undefined);
        await end(store, 'r1');
        assert.equal(await nextId(store, 2000), 'r3', 'what is blocked there holds nothing up');
        const next = await get(store, 'r2', { state: 'queued' });
        assert.ok(await store.runs.update(next, { state: 'blocked' }));
        assert.equal(await nextId(store, 2000), 'r2');
        await run(store, 'r2', 5000);
        await end(store, 'r2');
        await store.runs.insert({ ...sampleRun('r5', job), state: 'blocked' }, []);
        assert.equal(await nextId(store, 2000), 'r3');
      }),
    );

    test(
      'is not one behind a blocked run of its lane, and not the blocked run itself',
      withStore(async (store) => {
        await insert(store, 'r1', 'main', 'blocked');
        await insert(store, 'r2', 'main');
        assert.equal(await nextId(store, 2000), undefined);
        await store.runs.update(await get(store, 'r1', { state: 'cancelled' }), {
          state: 'blocked',
        });
        assert.equal(await nextId(store, 2000), 'r2');
      }),
    );

    test(
      'is a queued one even when a newer run of its lane waits too',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await insert(store, 'r2', 'main', 'blocked');
        assert.equal(await nextId(store, 2000), 'r1');
      }),
    );

    test(
      'is none of a lane where another runs, not even an older one that had been blocked',
      withStore(async (store) => {
        await insert(store, 'r1', 'main', 'blocked');
        await insert(store, 'r2', 'main', 'running');
        await own(store, 'r2', 'me', 5000);
        const resumed = await get(store, 'r1', { state: 'queued' });
        assert.ok(await store.runs.update(resumed, { state: 'blocked' }));
        assert.equal(await nextId(store, 2000), undefined);
        await end(store, 'r2');
        assert.equal(await nextId(store, 2000), 'r1');
      }),
    );

    test(
      'is a running run whose process died, once its lease has ended',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await insert(store, 'r2', 'main');
        await run(store, 'r1', 5000);
        assert.equal(await nextId(store, 4999), undefined);
        assert.equal(await nextId(store, 5000), 'r1');
      }),
    );

    test(
      'never was or will be one that has ended',
      withStore(async (store) => {
        for (const state of ['succeeded', 'failed', 'cancelled', 'superseded'] as const) {
          await insert(store, state, 'main', state);
        }
        assert.equal(await nextId(store, 1_000_000), undefined);
      }),
    );
  });

  describe('the lease of a running run', () => {
    test(
      'is renewed by its holder, who learns what has happened to the run meanwhile',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await run(store, 'r1', 5000);
        assert.equal((await store.runs.renew('r1', 'me', 9000))?.cancelRequested, undefined);
        assert.equal(await nextId(store, 8999), undefined);
        await store.runs.requestCancel('r1', 'Cancelled by admin');
        assert.equal(
          (await store.runs.renew('r1', 'me', 9500))?.cancelRequested,
          'Cancelled by admin',
        );
      }),
    );

    test(
      'cannot be renewed by who has lost it, and who has lost it cannot write the run',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await run(store, 'r1', 5000);
        await own(store, 'r1', 'another', 9000);
        assert.equal(await store.runs.renew('r1', 'me', 99_000), undefined);
        await store.runs.release('r1', 'me');
        assert.equal(await nextId(store, 8999), undefined);
        const ended = await get(store, 'r1', { state: 'succeeded' });
        assert.equal(await store.runs.update(ended, { state: 'running', holder: 'me' }), false);
        assert.equal((await store.runs.get('r1'))?.state, 'running');
        assert.equal(await store.runs.update(ended, { state: 'running', holder: 'another' }), true);
      }),
    );

    test(
      'goes to one of two who saw the same run, queued or left by a process that died',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        const [mine, theirs] = await Promise.all([
          take(store, 'me', 2000),
          take(store, 'another', 2000),
        ]);
        assert.equal([mine, theirs].filter((id) => id === 'r1').length, 1);
        const seen = [await nextId(store, 9000), await nextId(store, 9000)];
        assert.deepEqual(seen, ['r1', 'r1']);
        assert.equal(await store.runs.own('r1', 'third', 12_000, 9000), true);
        assert.equal(await store.runs.own('r1', 'fourth', 12_000, 9000), false);
        assert.ok(await store.runs.renew('r1', 'third', 13_000));
        assert.equal(await store.runs.renew('r1', 'fourth', 13_000), undefined);
        await end(store, 'r1');
        assert.equal(await store.runs.own('r1', 'fourth', 99_000, 50_000), false);
      }),
    );

    test(
      'is not looked for among the runs that the asker has already',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await insert(store, 'r2', 'other');
        assert.equal((await store.runs.nextRunnable(2000, ['r1']))?.id, 'r2');
        assert.equal(await store.runs.nextRunnable(2000, ['r1', 'r2']), undefined);
      }),
    );

    test(
      'is over with the run',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await run(store, 'r1', 5000);
        await end(store, 'r1');
        assert.equal(await store.runs.renew('r1', 'me', 9000), undefined);
        await store.runs.release('r1', 'me');
        await store.runs.releaseAll();
        assert.equal(await nextId(store, 1_000_000), undefined);
      }),
    );

    test(
      'is given back by its holder alone, or for all at a start',
      withStore(async (store) => {
        await insert(store, 'r1', 'main');
        await run(store, 'r1', 5000);
        await store.runs.release('r1', 'another');
        assert.equal(await nextId(store, 2000), undefined);
        await store.runs.release('r1', 'me');
        assert.equal(await nextId(store, 2000), 'r1');
        await own(store, 'r1', 'me', 9000);
        assert.equal(await nextId(store, 2000), undefined);
        await store.runs.releaseAll();
        assert.equal(await nextId(store, 2000), 'r1');
      }),
    );
  });

  describe('a process that has lost a run', () => {
    const STEP = {
      index: 0,
      name: 'Build',
      state: 'succeeded',
      attempts: 1,
      exitCode: 0,
      kept: undefined,
      reason: '',
      startedAt: 1,
      finishedAt: 2,
    } as const;
    const KEPT = { outputs: { a: 'b' }, masked: [], sealed: undefined };
    const CHUNKS = [
      { seq: 0, at: 1, step: 0, stream: 'stdout', text: "it's ☃\0 $1 ?" },
      { seq: 1, at: 2, step: -1, stream: 'mainsheet', text: 'two' },
    ] as const;

    test(
      'writes neither its steps, its log, its outputs nor its work tree any more',
      withStore(async (store) => {
        assert.ok(await store.runs.insert(sampleRun('r1', { attempts: 1 }), ['Build', 'Smoke']));
        const taken = await get(store, 'r1', { state: 'running', attempts: 2 });
        assert.ok(await store.runs.update(taken, { state: 'queued' }));
        assert.equal(await store.steps.update('r1', STEP, 1), false);
        assert.equal(await store.logs.append('r1', CHUNKS, 1), false);
        assert.equal(await store.runs.setOutputs('r1', KEPT, 1), false);
        assert.equal(await store.runs.setWorkTree('r1', 'tree', 1), false);
        assert.equal((await store.steps.ofRun('r1'))[0]?.state, 'pending');
        assert.deepEqual(await store.logs.read('r1', -1, 9), []);
        assert.deepEqual((await store.runs.get('r1'))?.outputs, {});
        assert.equal(await store.runs.workTree('r1'), undefined);

        assert.equal(await store.steps.update('r1', STEP, 2), true);
        assert.equal(await store.logs.append('r1', CHUNKS, 2), true);
        assert.equal(await store.runs.setOutputs('r1', KEPT, 2), true);
        assert.equal(await store.runs.setWorkTree('r1', 'tree', 2), true);
        assert.deepEqual((await store.steps.ofRun('r1'))[0], STEP);
        assert.equal((await store.steps.ofRun('r1'))[1]?.state, 'pending');
        assert.deepEqual(await store.logs.read('r1', -1, 9), [
          { ...CHUNKS[0], text: "it's ☃\uFFFD $1 ?" },
          CHUNKS[1],
        ]);
        assert.deepEqual((await store.runs.get('r1'))?.outputs, { a: 'b' });
        assert.equal(await store.runs.workTree('r1'), 'tree');
        assert.equal(await store.steps.update('unknown', STEP, 2), false);
        assert.equal(await store.logs.append('unknown', CHUNKS, 2), false);
      }),
    );

    test(
      'writes before the one that takes it up does, or not at all',
      withStore(async (store) => {
        assert.ok(await store.runs.insert(sampleRun('r1', { attempts: 1 }), ['Build']));
        let written: Promise<boolean[]> | undefined;
        await store.atomically(async (tables) => {
          const run = await tables.runs.get('r1');
          assert.ok(run);
          await tables.runs.update({ ...run, state: 'running', attempts: 2 }, { state: 'queued' });
          // Both are under way while the other one has the run, but has not said so to everybody yet.
          written = Promise.all([
            store.logs.append('r1', CHUNKS, 1),
            store.steps.update('r1', STEP, 1),
          ]);
          await tables.logs.append('r1', CHUNKS, 2);
        });
        assert.deepEqual(await written, [false, false]);
        assert.equal((await store.logs.read('r1', -1, 9)).length, 2);
      }),
    );
  });

  describe('what one process does for all', () => {
    test(
      'is its own until its lease ends, and then of the first that asks',
      withStore(async ({ leases }) => {
        assert.equal(await leases.take('watch', 'me', 5000, 1000), true);
        assert.equal(await leases.take('watch', 'another', 6000, 4999), false);
        assert.equal(await leases.take('else', 'another', 6000, 4999), true);
        assert.equal(await leases.take('watch', 'me', 7000, 4999), true);
        assert.equal(await leases.take('watch', 'another', 9000, 6999), false);
        assert.equal(await leases.take('watch', 'another', 9000, 7000), true);
        assert.equal(await leases.take('watch', 'me', 9999, 7001), false);
      }),
    );

    test(
      'is given back by its holder alone, or for all at a start',
      withStore(async ({ leases }) => {
        await leases.take('watch', 'me', 5000, 1000);
        await leases.release('watch', 'another');
        assert.equal(await leases.take('watch', 'another', 6000, 1000), false);
        await leases.release('watch', 'me');
        assert.equal(await leases.take('watch', 'another', 6000, 1000), true);
        await leases.releaseAll();
        assert.equal(await leases.take('watch', 'me', 6000, 1000), true);
      }),
    );

    test(
      'goes to one of several who ask at the same moment',
      withStore(async ({ leases }) => {
        const asked = Array.from({ length: 8 }, (_, index) =>
          leases.take('watch', `process ${index}`, 5000, 1000),
        );
        assert.equal((await Promise.all(asked)).filter(Boolean).length, 1);
      }),
    );
  });
}

async function insert(
  store: Store,
  id: string,
  lane: string,
  state: Run['state'] = 'queued',
): Promise<void> {
  assert.ok(await store.runs.insert(sampleRun(id, { lane, state }), []));
}

async function get(store: Store, id: string, more: Partial<Run>): Promise<Run> {
  const found = await store.runs.get(id);
  assert.ok(found);
  return { ...found, ...more };
}

/** Gives it a holder, long after any lease of before has ended. */
const own = async (store: Store, id: string, holder: string, until: number) =>
  assert.ok(await store.runs.own(id, holder, until, 1_000_000));

/** Starts a queued run as `me`. */
async function run(store: Store, id: string, until: number): Promise<void> {
  const started = await get(store, id, { state: 'running' });
  assert.ok(await store.runs.update(started, { state: 'queued' }));
  await own(store, id, 'me', until);
}

/** Takes the next run up as a process does: found, owned and started in one transaction. */
async function take(store: Store, holder: string, now: number): Promise<string | undefined> {
  return await store.atomically(async ({ runs }) => {
    const found = await runs.nextRunnable(now);
    if (found === undefined || !(await runs.own(found.id, holder, now + 5000, now)))
      return undefined;
    assert.ok(await runs.update({ ...found, state: 'running' }, { state: found.state, holder }));
    return found.id;
  });
}

async function end(store: Store, id: string): Promise<void> {
  const ended = await get(store, id, { state: 'succeeded' });
  assert.ok(await store.runs.update(ended, { state: 'running' }));
}

async function nextId(store: Store, now: number): Promise<string | undefined> {
  return (await store.runs.nextRunnable(now))?.id;
}
