import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store, Tables } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../samples.ts';
import { audited } from '../../support/audited.ts';

export function atomicallyContract(withStore: WithStore): void {
  describe('a transaction', () => {
    test(
      'leaves nothing behind when its work throws',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        const failure = new Error('the disk is full');
        await assert.rejects(
          store.atomically(async (tables) => {
            await writeEverywhere(tables);
            throw failure;
          }),
          failure,
        );
        assert.deepEqual(await whatIsThere(store), NOTHING);
      }),
    );

    test(
      'leaves nothing behind when the database refuses a part of it',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        await assert.rejects(
          store.atomically(async (tables) => {
            await writeEverywhere(tables);
            await tables.logs.append('r1', [
              { seq: 0, at: 1, step: 0, stream: 'stdout', text: '' },
            ]);
          }),
        );
        assert.deepEqual(await whatIsThere(store), NOTHING);
      }),
    );

    test(
      'is all there when its work is done, and gives its result',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        const result = await store.atomically(async (tables) => {
          await writeEverywhere(tables);
          return 'done';
        });
        assert.equal(result, 'done');
        assert.deepEqual(await whatIsThere(store), {
          delivery: 'processed',
          runs: 1,
          steps: 1,
          log: 1,
          outbox: 1,
          environments: 1,
          snapshot: 'text',
          audit: 1,
        });
      }),
    );

    test(
      'does not lose deliveries that arrive while it is under way',
      withStore(async (store) => {
        const accepted: Promise<boolean>[] = [];
        await assert.rejects(
          store.atomically(async (tables) => {
            accepted.push(store.accept(sampleDelivery('d2')));
            await writeEverywhere(tables);
            throw new Error('rolled back');
          }),
        );
        assert.deepEqual(await Promise.all(accepted), [true]);
        assert.ok(await store.inbox.get('d2'));
      }),
    );
  });

  describe('a group', () => {
    test(
      'is one transaction, and gives the result of each',
      withStore(async (store) => {
        const done: string[] = [];
        const works = ['a', 'b', 'c'].map((name) => async (tables: Tables) => {
          await tables.cursors.set(name, name, 1);
          done.push(name);
          return name;
        });
        const results = await store.each(works);
        assert.deepEqual(
          results.map((one) => one.status === 'fulfilled' && one.value),
          ['a', 'b', 'c'],
        );
        assert.deepEqual(done, ['a', 'b', 'c'], 'each was done once');
        assert.equal(await store.cursors.get('c'), 'c');
      }),
    );

    test(
      'loses what fails, whole, and nothing else',
      withStore(async (store) => {
        const line = { seq: 0, at: 1, step: 0, stream: 'stdout' as const, text: '' };
        await store.logs.append('r1', [line]);
        const set = (name: string) => async (tables: Tables) => {
          await tables.cursors.set(name, name, 1);
        };
        const failure = new Error('no');
        const results = await store.each([
          set('before'),
          async (tables) => {
            await set('own')(tables);
            throw failure;
          },
          async (tables) => {
            await set('refused')(tables);
            await tables.logs.append('r1', [line]);
          },
          set('after'),
        ]);
        assert.deepEqual(
          results.map(({ status }) => status),
          ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
        );
        assert.partialDeepStrictEqual(results[1], { reason: failure });
        const kept = ['before', 'own', 'refused', 'after'].map((name) => store.cursors.get(name));
        assert.deepEqual(await Promise.all(kept), ['before', undefined, undefined, 'after']);
      }),
    );

    test(
      'in order ends with what fails, whole, and keeps what came before it',
      withStore(async (store) => {
        const line = { seq: 0, at: 1, step: 0, stream: 'stdout' as const, text: '' };
        await store.logs.append('r1', [line]);
        const set = (name: string) => async (tables: Tables) => {
          await tables.cursors.set(name, name, 1);
          return name;
        };
        const refused = async (tables: Tables) => {
          await set('refused')(tables);
          await tables.logs.append('r1', [line]);
          return 'refused';
        };
        const works = [set('one'), set('two'), refused, set('four')];
        const { done, failure } = await store.inOrder(works, 60_000);
        assert.deepEqual([done, failure === undefined], [['one', 'two'], false]);
        const kept = ['one', 'two', 'refused', 'four'].map((name) => store.cursors.get(name));
        assert.deepEqual(await Promise.all(kept), ['one', 'two', undefined, undefined]);
        assert.deepEqual((await store.inOrder([refused, set('four')], 60_000)).done, []);
        assert.deepEqual(await store.inOrder(works, 0), { done: ['one'] }, 'when it took too long');
      }),
    );
  });
}

const NOTHING = {
  delivery: 'pending',
  runs: 0,
  steps: 0,
  log: 0,
  outbox: 0,
  environments: 0,
  snapshot: undefined,
  audit: 0,
};

async function writeEverywhere(tables: Tables): Promise<void> {
  const run = await tables.runs.insert(sampleRun('r1'), ['Build']);
  assert.ok(run);
  await tables.logs.append('r1', [{ seq: 0, at: 1, step: 0, stream: 'stdout', text: 'x' }]);
  await tables.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1);
  await tables.environments.record(run, 1);
  await tables.snapshots.keep({ digest: 'abc', name: 'x', file: 'x', text: 'text' }, 1);
  await tables.audit.record({ at: 1, actor: 'admin', action: 'x', subject: 'x', detail: '' });
  await tables.inbox.close('d1', 'processed', { summary: '', specs: [] }, 1);
}

async function whatIsThere(store: Store) {
  const all = { limit: 10, before: undefined };
  return {
    delivery: (await store.inbox.get('d1'))?.delivery.state,
    runs: (await store.runs.list(all, {})).items.length,
    steps: (await store.steps.ofRun('r1')).length,
    log: (await store.logs.read('r1', -1, 10)).length,
    outbox: (await store.outbox.list(all, {})).items.length,
    environments: (await store.environments.list()).length,
    snapshot: (await store.snapshots.get('abc'))?.text,
    audit: (await audited(store, 10)).length,
  };
}
