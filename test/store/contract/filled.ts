import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store, Tables, WorkTable } from '../../../src/store/index.ts';
import { recordFilled } from '../../support/filled.ts';
import type { WithStore } from '../contract.ts';
import { sampleDelivery, samplePreview, samplePull, sampleStatus } from '../samples.ts';

const add = ({ outbox }: Tables) =>
  outbox.add('r1', [{ target: 't', callback: sampleStatus('pending') }], 1);

/** What puts work into a table. */
const PUT: readonly [WorkTable, (tables: Tables) => Promise<unknown>][] = [
  ['inbox', ({ inbox }) => inbox.store([sampleDelivery('d1')])],
  ['inbox', ({ inbox }) => inbox.reopen('given-up')],
  ['outbox', ({ outbox }) => outbox.revive(1, 1)],
  ['outbox', ({ outbox }) => outbox.reviveAll(1)],
  ['plans', ({ plans }) => plans.note('p1', samplePull({ changedAt: 1 }), 1)],
  ['previews', ({ previews }) => previews.note(samplePreview())],
];

const WAYS: Record<string, (store: Store, work: (tables: Tables) => Promise<void>) => unknown> = {
  atomically: (store, work) => store.atomically(work),
  lazily: (store, work) => store.lazily(work),
  'each of several': (store, work) => store.each([work, async () => undefined]),
  'in order': (store, work) => store.inOrder([work, async () => undefined], 1000),
};

export function filledContract(withStore: WithStore): void {
  describe('word of new work', () => {
    test(
      'comes from everything that puts some into a table',
      withStore(async (store) => {
        await store.accept(sampleDelivery('given-up'));
        const missing = { ref: 'refs/tags/v1', sha: undefined };
        const outcome = { summary: 'no tag', specs: [] };
        await store.inbox.close('given-up', 'failed', outcome, 1, undefined, missing);
        for (const target of ['a', 'b']) {
          await store.outbox.add('r1', [{ target, callback: sampleStatus('pending') }], 1);
        }
        for (const id of [1, 2]) await store.outbox.finish(id, 'dead', 1, 'gone');
        const told = recordFilled(store);
        for (const [, put] of PUT) await put(store);
        assert.deepEqual(
          told,
          PUT.map(([table]) => table),
        );
      }),
    );

    test(
      'comes when a loop that looks at once would find it, and once of a transaction',
      withStore(async (store) => {
        for (const [way, commit] of Object.entries(WAYS)) {
          const told = recordFilled(store);
          await commit(store, async (tables) => {
            await add(tables);
            await add(tables);
            assert.deepEqual(told, [], way);
          });
          assert.deepEqual(told, ['outbox'], way);
        }
      }),
    );

    test(
      'does not come of what is undone, or was there, or is accepted: of that its caller knows more',
      withStore(async (store) => {
        const told = recordFilled(store);
        await store.accept(sampleDelivery('d1'));
        await store.inbox.store([sampleDelivery('d1')]);
        await store.inbox.reopen('d1');
        await store.outbox.reviveAll(1);
        await store.plans.note('p1', samplePull({ isReady: false }), 1);
        const failing = store.lazily(async (tables) => {
          await add(tables);
          throw new Error('undone');
        });
        await assert.rejects(failing, /undone/);
        assert.deepEqual(told, []);
      }),
    );
  });
}
