import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pause } from '../../../src/model/pause.ts';
import type { NewRun } from '../../../src/model/run.ts';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';
import { sampleRun } from '../samples.ts';

const pause = (kind: Pause['kind'], name: string, more: Partial<Pause> = {}): Pause => ({
  kind,
  name,
  since: 1000,
  by: 'admin',
  reason: 'the database moves',
  ...more,
});

const insert = async (store: Store, id: string, more: Partial<NewRun> = {}) => {
  const run = await store.runs.insert(sampleRun(id, more), []);
  assert.ok(run);
  return run;
};

const next = async (store: Store) => (await store.runs.nextRunnable(2000))?.id;

export function pausesContract(withStore: WithStore): void {
  describe('pauses', () => {
    test(
      'a pause is kept as it was first, until it is removed',
      withStore(async (store) => {
        const first = pause('spec', 'storefront');
        assert.equal(await store.pauses.add(first), true);
        assert.equal(await store.pauses.add({ ...first, by: 'other', since: 5 }), false);
        assert.deepEqual(await store.pauses.get(first), first);
        assert.equal(await store.pauses.get({ kind: 'lane', name: 'storefront' }), undefined);
        const lane = pause('lane', 'storefront', { since: 500 });
        await store.pauses.add(lane);
        assert.deepEqual(await store.pauses.list(), [lane, first]);
        assert.equal(await store.pauses.remove(first), true);
        assert.equal(await store.pauses.remove(first), false);
        assert.deepEqual(await store.pauses.list(), [lane]);
      }),
    );

    test(
      'a run is held by the pause of its spec or of its lane, the older one first, and by no other',
      withStore(async (store) => {
        const run = { id: 'r1', spec: 'storefront', lane: 'main' };
        await store.pauses.add(pause('spec', 'main'));
        await store.pauses.add(pause('lane', 'storefront'));
        assert.equal(await store.pauses.holding(run), undefined);
        await store.pauses.add(pause('spec', 'storefront', { since: 2000 }));
        await store.pauses.add(pause('lane', 'main', { since: 1500 }));
        assert.equal((await store.pauses.holding(run))?.kind, 'lane');
        await store.pauses.remove({ kind: 'lane', name: 'main' });
        assert.equal((await store.pauses.holding(run))?.kind, 'spec');
      }),
    );

    test(
      'a pause lets the one run pass that it was made for, and only such a pause goes with the next rollback',
      withStore(async (store) => {
        const back = await insert(store, 'back');
        await insert(store, 'next', { spec: 'other' });
        const held = pause('lane', 'main');
        await store.pauses.add(held, back.id);
        assert.equal(await store.pauses.holding(back), undefined);
        assert.deepEqual(await store.pauses.holding({ ...back, id: 'next' }), held);
        assert.equal(await next(store), 'back');
        assert.deepEqual(
          [await store.pauses.spares('back'), await store.pauses.spares('next')],
          [true, false],
        );
        await store.pauses.spareInstead('back', 'next');
        assert.equal(await next(store), undefined, 'it waits behind the other');
        assert.deepEqual(await store.pauses.holding(back), held);
        await store.pauses.releaseRollback('main');
        assert.deepEqual(await store.pauses.list(), []);
        await store.pauses.add(held);
        await store.pauses.releaseRollback('main');
        assert.deepEqual(await store.pauses.list(), [held]);
      }),
    );

    for (const paused of [pause('spec', 'storefront'), pause('lane', 'main')]) {
      test(
        `a queued run of a paused ${paused.kind} is not taken, others are, and it is after the pause`,
        withStore(async (store) => {
          await insert(store, 'r1');
          await insert(store, 'r2', { spec: 'docs', lane: 'docs' });
          await store.pauses.add(paused);
          assert.equal(await next(store), 'r2');
          await store.pauses.remove(paused);
          assert.equal(await next(store), 'r1');
        }),
      );
    }

    test(
      'a run under way whose process died is taken up although its spec is paused meanwhile',
      withStore(async (store) => {
        const run = await insert(store, 'r1');
        await store.runs.own('r1', 'gone', 1500, 1000);
        await store.runs.update({ ...run, state: 'running' }, { state: 'queued' });
        await store.pauses.add(pause('spec', 'storefront'));
        assert.equal(await next(store), 'r1');
      }),
    );

    test(
      'a blocked run holds up later ones of its spec, but not another spec in its lane',
      withStore(async (store) => {
        await insert(store, 'r1', { state: 'blocked' });
        await insert(store, 'r2');
        assert.equal(await next(store), undefined);
        await insert(store, 'r3', { spec: 'docs' });
        // Behind r2, which is queued and first.
        assert.equal(await next(store), undefined);
        await insert(store, 'r4', { spec: 'blog', lane: 'other', state: 'blocked' });
        await insert(store, 'r5', { spec: 'docs', lane: 'other' });
        assert.equal(await next(store), 'r5');
      }),
    );

    test(
      'the runs that wait in a spec or a lane are found by their state, oldest first',
      withStore(async (store) => {
        await insert(store, 'r1', { state: 'blocked' });
        await insert(store, 'r2');
        await insert(store, 'r3', { spec: 'docs' });
        await insert(store, 'r4', { lane: 'other' });
        await insert(store, 'r5', { state: 'running' });
        const ids = async (kind: Pause['kind'], name: string, state: 'queued' | 'blocked') =>
          (await store.runs.waitingIn({ kind, name }, state)).map(({ id }) => id);
        assert.deepEqual(await ids('spec', 'storefront', 'queued'), ['r2', 'r4']);
        assert.deepEqual(await ids('lane', 'main', 'queued'), ['r2', 'r3']);
        assert.deepEqual(await ids('lane', 'main', 'blocked'), ['r1']);
        assert.deepEqual(await ids('spec', 'docs', 'blocked'), []);
      }),
    );

    test(
      'who pauses waits for the runs that are being made, and sees them; they do not wait for each other',
      withStore(async (store) => {
        const made = Promise.withResolvers<void>();
        const makes = Promise.withResolvers<void>();
        const making = store.atomically(async (tables) => {
          await tables.pauses.lock('to make runs');
          makes.resolve();
          await tables.runs.insert(sampleRun('r1'), []);
          await made.promise;
        });
        await makes.promise;
        if (store.engine === 'postgres') {
          await store.atomically((tables) => tables.pauses.lock('to make runs'));
        }
        const pausing = store.atomically(async (tables) => {
          await tables.pauses.lock('to change');
          await tables.pauses.add(pause('spec', 'storefront'));
          return await tables.runs.waitingIn({ kind: 'spec', name: 'storefront' }, 'queued');
        });
        // Enough is asked and answered elsewhere that a pause which does not wait were long over.
        for (let asked = 0; asked < 50 && store.engine === 'postgres'; asked += 1) {
          await store.ping();
        }
        made.resolve();
        await making;
        assert.deepEqual(
          (await pausing).map(({ id }) => id),
          ['r1'],
        );
      }),
    );
  });
}
