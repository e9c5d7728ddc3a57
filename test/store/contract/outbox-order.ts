import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IMPORTANCE, type Hold, type Importance } from '../../../src/model/importance.ts';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';
import { sampleStatus } from '../samples.ts';

const { final, olderFinal, notification, intermediate } = IMPORTANCE;

/** What goes first, and what the budget keeps back. */
export function outboxOrderContract(withStore: WithStore): void {
  describe('the order of the outbox', () => {
    test(
      'is by importance, then by age',
      withStore(async (store) => {
        await add(store, 'a', intermediate);
        await add(store, 'b', final);
        await add(store, 'c', intermediate);
        await add(store, 'd', final);
        assert.deepEqual(await claim(store, 3), ['b', 'd', 'a']);
      }),
    );

    test(
      'lets what is important pull along what stands before it in its target',
      withStore(async (store) => {
        await add(store, 'a', notification);
        await add(store, 'b', intermediate);
        await add(store, 'b', final);
        assert.deepEqual(await claim(store, 2), ['b', 'a']);
      }),
    );

    test(
      'puts the final status of a lane behind that of a newer run, and of no other lane',
      withStore(async (store) => {
        await add(store, 'old', final, { lane: 'main' });
        await add(store, 'other', final, { lane: 'other' });
        await add(store, 'new', final, { lane: 'main' });
        const entries = await store.outbox.claim(2000, 100, 9);
        assert.deepEqual(
          entries.map((entry) => [entry.target, entry.importance]),
          [
            ['other', final],
            ['new', final],
            ['old', olderFinal],
          ],
        );
      }),
    );

    test(
      'leaves out what is held: of an account, or of all accounts, from an importance on',
      withStore(async (store) => {
        await add(store, 'a', final, { account: 'acme' });
        await add(store, 'b', intermediate, { account: 'acme' });
        await add(store, 'c', intermediate, { account: 'other' });
        await add(store, 'd', notification);
        const free = async (...held: Hold[]) => {
          const targets = await claim(store, 9, held);
          await store.outbox.releaseAll();
          return targets;
        };
        const held = (account: string | undefined, importance: Importance) => ({
          account,
          importance,
        });
        assert.deepEqual(await free(held('acme', intermediate)), ['a', 'd', 'c']);
        assert.deepEqual(await free(held('acme', final)), ['d', 'c']);
        assert.deepEqual(await free(held('acme', final), held('other', final)), ['d']);
        assert.deepEqual(await free(held(undefined, intermediate)), ['a', 'd']);
        const many = Array.from({ length: 2000 }, (_, index) => held(`org${index}`, final));
        assert.deepEqual(await free(...many), ['a', 'd', 'b', 'c']);
      }),
    );

    test(
      'an entry that is given back was not tried',
      withStore(async (store) => {
        await add(store, 'a', final);
        const [entry] = await store.outbox.claim(2000, 100_000, 1);
        assert.ok(entry);
        await store.outbox.giveBack(entry, 2500);
        assert.deepEqual(await store.outbox.claim(2499, 100, 1), []);
        assert.equal((await store.outbox.claim(2500, 100, 1))[0]?.attempts, 1);
      }),
    );

    test(
      'a target that is abandoned has nothing left to send, and others have',
      withStore(async (store) => {
        await add(store, 'a', final);
        await add(store, 'a', final);
        await add(store, 'b', final);
        await store.outbox.abandonTarget('a', 2000, 'not wanted');
        assert.deepEqual(await claim(store, 9), ['b']);
        const [first] = await store.outbox.ofRun('r1');
        assert.partialDeepStrictEqual(first, { state: 'obsolete', error: 'not wanted' });
      }),
    );
  });
}

async function add(
  store: Store,
  target: string,
  importance: Importance,
  more: { lane?: string; account?: string } = {},
): Promise<void> {
  const callback = sampleStatus('pending');
  await store.outbox.add('r1', [{ target, callback, importance, ...more }], 1000);
}

async function claim(store: Store, limit: number, held: Hold[] = []): Promise<string[]> {
  return (await store.outbox.claim(2000, 100_000, limit, { held })).map(({ target }) => target);
}
