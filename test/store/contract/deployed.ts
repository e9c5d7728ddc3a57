import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NewRun, Run } from '../../../src/model/run.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleRun } from '../samples.ts';
import type { WithStore } from '../contract.ts';

const HERE = { spec: 'storefront', lane: 'main' };

async function ran(store: Store, id: string, at: number, more: Partial<NewRun> = {}) {
  const run = await store.runs.insert(
    sampleRun(id, { state: 'succeeded', finishedAt: at, ...more }),
    [],
  );
  assert.ok(run);
  return run;
}

const ids = (items: readonly { run: Run; until: number | undefined }[]) =>
  items.map(({ run, until }) => `${run.id} until ${until}`);

/** What was deployed when. */
export function deployedContract(withStore: WithStore): void {
  describe('what was deployed', () => {
    test(
      'only what has deployed counts, of the place alone, in the order in which it came',
      withStore(async (store) => {
        await ran(store, 'a', 100);
        await ran(store, 'late', 400);
        await ran(store, 'b', 300);
        await ran(store, 'failed', 350, { state: 'failed' });
        await ran(store, 'job', 350, { event: 'deployment_protection_rule' });
        await ran(store, 'lane', 350, { lane: 'other' });
        await ran(store, 'spec', 350, { spec: 'other' });
        await store.runs.setAskedBy('b', 'ines');
        const first = await store.deployed.list(HERE, { limit: 2, before: undefined });
        assert.deepEqual(ids(first.items), ['late until undefined', 'b until 400']);
        assert.deepEqual(
          first.items.map(({ askedBy }) => askedBy),
          [undefined, 'ines'],
        );
        const before = first.items.at(-1)?.run.sequence;
        const second = await store.deployed.list(HERE, { limit: 2, before });
        assert.deepEqual([ids(second.items), second.next], [['a until 300'], undefined]);
      }),
    );

    test(
      'runs that ended in the same millisecond come in their order, and on one page each',
      withStore(async (store) => {
        for (const id of ['a', 'b', 'c']) await ran(store, id, 100);
        const seen: string[] = [];
        for (let before: number | undefined; ;) {
          const { items, next } = await store.deployed.list(HERE, { limit: 1, before });
          seen.push(...ids(items));
          before = items[0]?.run.sequence;
          if (next === undefined) break;
        }
        assert.deepEqual(seen, ['c until undefined', 'b until 100', 'a until 100']);
      }),
    );

    test(
      'a time has what came last until then, and a range what came after its begin',
      withStore(async (store) => {
        await ran(store, 'a', 100);
        await ran(store, 'b', 200);
        await ran(store, 'c', 300);
        const at = async (time: number) => (await store.deployed.at(HERE, time))?.run.id;
        assert.deepEqual(await Promise.all([99, 100, 250, 999].map(at)), [
          undefined,
          'a',
          'b',
          'c',
        ]);
        assert.deepEqual(ids(await store.deployed.within(HERE, 100, 300, 9)), [
          'c until undefined',
          'b until 300',
        ]);
        assert.equal((await store.deployed.within(HERE, 0, 999, 2)).length, 2);
      }),
    );

    test(
      'between two are all runs after the older one, and a run of another place has deployed nothing here',
      withStore(async (store) => {
        const older = await ran(store, 'a', 100);
        await ran(store, 'failed', 150, { state: 'failed' });
        await ran(store, 'lane', 160, { lane: 'other' });
        const newer = await ran(store, 'b', 200);
        await ran(store, 'after', 300);
        const between = await store.deployed.between(HERE, older, newer, 9);
        assert.deepEqual(
          between.map(({ id }) => id),
          ['b', 'failed'],
        );
        assert.equal((await store.deployed.ofRun(HERE, 'a'))?.until, 200);
        assert.equal(await store.deployed.ofRun(HERE, 'lane'), undefined);
        assert.equal(await store.deployed.ofRun(HERE, 'failed'), undefined);
      }),
    );

    test(
      'what may not be seen is in none of it',
      withStore(async (store) => {
        const own = await ran(store, 'own', 100);
        const hidden = await ran(store, 'hidden', 200, { repository: 'acme/Hidden' });
        const where = { ...HERE, visible: ['acme/storefront'] };
        const page = { limit: 9, before: undefined };
        assert.deepEqual(
          (await store.deployed.list(where, page)).items.map(({ run }) => run.id),
          ['own'],
        );
        assert.deepEqual(await store.deployed.at(where, 999), {
          run: own,
          askedBy: undefined,
          until: undefined,
        });
        assert.deepEqual(await store.deployed.within(where, 150, 999, 9), []);
        assert.deepEqual(await store.deployed.between(where, own, hidden, 9), []);
        assert.equal(await store.deployed.ofRun(where, 'hidden'), undefined);
      }),
    );

    test(
      'who made a run by hand is told from the row about it, however many there are since',
      withStore(async (store) => {
        const row = (detail: string, at: number) =>
          store.audit.record({ at, actor: detail, action: 'run.retry', subject: 's', detail });
        await row('made run r1: Rollback to abc', 1_000_000);
        await row('made run r10', 1_000_000);
        await row('made run r1', 9_000_000);
        const made = (id: string, createdAt: number) => store.audit.ofMade({ id, createdAt });
        assert.equal((await made('r1', 1_000_005))?.detail, 'made run r1: Rollback to abc');
        assert.equal((await made('r10', 1_000_005))?.actor, 'made run r10');
        assert.equal(await made('r10', 5_000_000), undefined);
      }),
    );
  });
}
