import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IMPORTANCE, NO_WRITES, type Importance } from '../../../src/model/importance.ts';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';

const { final, olderFinal, notification } = IMPORTANCE;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Later than any window after the epoch. */
const NOW = 100 * HOUR;

/** The log of writes, on which the budget at GitHub rests. */
export function githubWritesContract(withStore: WithStore): void {
  describe('the log of writes to GitHub', () => {
    test(
      'counts those of each account in the last minute and hour, and what ended a run also in between',
      withStore(async (store) => {
        await note(store, 'acme', NOW - 50 * MINUTE, final, notification);
        await note(store, 'acme', NOW - 29 * MINUTE, olderFinal);
        await note(store, 'acme', NOW - 9 * MINUTE, final, olderFinal, notification);
        await note(store, 'acme', NOW, notification, final);
        await note(store, 'other', NOW, notification);
        const counts = await store.githubWrites.counts(NOW);
        assert.deepEqual(counts.get('acme'), {
          minute: 2,
          hour: 8,
          ends: { minute: 1, tenMinutes: 3, halfHour: 4, hour: 5 },
        });
        assert.deepEqual(counts.get('other'), { ...NO_WRITES, minute: 1, hour: 1 });
        assert.equal(counts.size, 2);
      }),
    );

    test(
      'counts a write as long as it may have arrived within the window, ten seconds later',
      withStore(async (store) => {
        await note(store, 'acme', NOW, notification);
        const after = async (ms: number) => (await store.githubWrites.counts(NOW + ms)).get('acme');
        assert.equal((await after(MINUTE + 10 * SECOND - 1))?.minute, 1);
        assert.equal((await after(MINUTE + 10 * SECOND))?.minute, 0);
        assert.equal((await after(HOUR + 10 * SECOND - 1))?.hour, 1);
        assert.equal(await after(HOUR + 10 * SECOND), undefined);
      }),
    );

    test(
      'counts what a replica whose clock is minutes ahead has written',
      withStore(async (store) => {
        await note(store, 'acme', NOW + 9 * MINUTE, notification);
        assert.equal((await store.githubWrites.counts(NOW)).get('acme')?.minute, 1);
      }),
    );

    test(
      'shows what there is of the account, and notes only what is then allowed',
      withStore(async (store) => {
        await note(store, 'acme', NOW, final);
        const hours: number[] = [];
        for (const account of ['acme', 'other']) {
          await store.githubWrites.reserve(
            account,
            () => NOW,
            ({ hour }) => {
              hours.push(hour);
              return [];
            },
          );
        }
        assert.deepEqual(hours, [1, 0]);
        assert.equal((await store.githubWrites.counts(NOW)).get('acme')?.hour, 1);
      }),
    );

    test(
      'notes nothing when the decision throws',
      withStore(async (store) => {
        const failure = new Error('no');
        const fail = () => {
          throw failure;
        };
        await assert.rejects(
          store.githubWrites.reserve('acme', () => NOW, fail),
          failure,
        );
        assert.equal((await store.githubWrites.counts(NOW)).size, 0);
      }),
    );

    test(
      'a clock that is set back uses up no budget, neither now nor when it has caught up',
      withStore(async (store) => {
        await note(store, 'acme', NOW + HOUR, notification);
        assert.equal((await store.githubWrites.counts(NOW)).size, 0);
        await store.githubWrites.forget(NOW);
        assert.equal((await store.githubWrites.counts(NOW + HOUR)).size, 0);
      }),
    );

    test(
      'forgets what is out of every window, and nothing else',
      withStore(async (store) => {
        await note(store, 'acme', NOW, notification);
        await store.githubWrites.forget(NOW + HOUR + 10 * MINUTE);
        assert.equal((await store.githubWrites.counts(NOW)).size, 1);
        await store.githubWrites.forget(NOW + HOUR + 10 * MINUTE + 1);
        assert.equal((await store.githubWrites.counts(NOW)).size, 0);
      }),
    );
  });
}

async function note(
  store: Store,
  account: string,
  at: number,
  ...writes: Importance[]
): Promise<void> {
  await store.githubWrites.reserve(
    account,
    () => at,
    () => writes,
  );
}
