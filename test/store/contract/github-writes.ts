import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IMPORTANCE, type WritesSeen } from '../../../src/model/importance.ts';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';

const { final, notification } = IMPORTANCE;

/** The log of writes, on which the budget at GitHub rests. */
export function githubWritesContract(withStore: WithStore): void {
  describe('the log of writes to GitHub', () => {
    test(
      'tells of an account what came after a number, by importance and second',
      withStore(async (store) => {
        const first = await note(store, 'acme', 5000);
        await note(store, 'other', 5000);
        await note(store, 'acme', 7001);
        await note(store, 'acme', 7002, final);
        const last = await note(store, 'acme', 7999);
        const { upTo, writes } = await store.githubWrites.after('acme', first);
        assert.equal(upTo, last);
        assert.deepEqual(
          writes.toSorted((a, b) => a.importance - b.importance),
          [
            { importance: final, second: 7, count: 1 },
            { importance: notification, second: 7, count: 2 },
          ],
        );
        assert.deepEqual(await store.githubWrites.after('acme', last), { upTo: last, writes: [] });
        assert.deepEqual((await store.githubWrites.accounts()).toSorted(), ['acme', 'other']);
      }),
    );

    test(
      'tells whoever reserves what he does not know, and notes only what he then allows',
      withStore(async (store) => {
        const known = await note(store, 'acme', 5000);
        await note(store, 'acme', 6000);
        const told: WritesSeen[] = [];
        const refused = await store.githubWrites.reserve('acme', known, (news) => {
          told.push(news);
          return undefined;
        });
        assert.equal(refused, undefined);
        assert.deepEqual(told[0]?.writes, [{ importance: notification, second: 6, count: 1 }]);
        assert.equal((await store.githubWrites.after('acme', known)).writes.length, 1);
      }),
    );

    test(
      'notes nothing when whoever decides throws',
      withStore(async (store) => {
        const failure = new Error('no');
        await assert.rejects(
          store.githubWrites.reserve('acme', 0, () => {
            throw failure;
          }),
          failure,
        );
        assert.deepEqual(await store.githubWrites.accounts(), []);
      }),
    );

    test(
      'forgets what is old, and its numbers are not given out again',
      withStore(async (store) => {
        await note(store, 'acme', 5000);
        const last = await note(store, 'acme', 6000);
        await store.githubWrites.forget(6000);
        assert.deepEqual((await store.githubWrites.after('acme', 0)).writes, [
          { importance: notification, second: 6, count: 1 },
        ]);
        await store.githubWrites.forget(6001);
        assert.ok((await note(store, 'acme', 7000)) > last);
      }),
    );
  });
}

async function note(
  store: Store,
  account: string,
  at: number,
  importance: typeof final | typeof notification = notification,
): Promise<number> {
  const number = await store.githubWrites.reserve(account, 0, () => ({ at, importance }));
  assert.ok(number !== undefined);
  return number;
}
