import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGroupCommit } from '../../src/store/group-commit.ts';
import type { IncomingDelivery } from '../../src/store/inbox.ts';
import { sampleDelivery } from './samples.ts';

type Group = readonly IncomingDelivery[];

const idsOf = (group: Group) => new Set(group.map(({ id }) => id));
const onDisk = async () => undefined;

test('everything that arrives in one turn of the event loop shares a transaction', async () => {
  const groups: Group[] = [];
  const accept = createGroupCommit(async (group) => {
    groups.push(group);
    return idsOf(group);
  }, onDisk);
  const first = ['d1', 'd2', 'd3'].map((id) => accept(sampleDelivery(id)));
  assert.deepEqual(groups, []);
  await Promise.all(first);
  await accept(sampleDelivery('d4'));
  assert.deepEqual(
    groups.map((group) => [...idsOf(group)]),
    [['d1', 'd2', 'd3'], ['d4']],
  );
});

test('what arrives while a group is being stored goes together into the next one', async () => {
  const stores: PromiseWithResolvers<void>[] = [];
  const groups: Group[] = [];
  const begun = Promise.withResolvers<void>();
  const accept = createGroupCommit(async (group) => {
    groups.push(group);
    const store = Promise.withResolvers<void>();
    stores.push(store);
    begun.resolve();
    if (groups.length === 1) await store.promise;
    return idsOf(group);
  }, onDisk);
  const first = accept(sampleDelivery('d1'));
  await begun.promise;
  const later = ['d2', 'd3'].map((id) => accept(sampleDelivery(id)));
  stores[0]?.resolve();
  await Promise.all([first, ...later]);
  assert.deepEqual(
    groups.map((group) => [...idsOf(group)]),
    [['d1'], ['d2', 'd3']],
  );
});

test('no sender hears of a delivery before its group is stored (G1)', async () => {
  const store = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let heard = false;
  const accept = createGroupCommit(async (group) => {
    begun.resolve();
    await store.promise;
    return idsOf(group);
  }, onDisk);
  const answer = accept(sampleDelivery('d1')).then(() => (heard = true));
  await begun.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(heard, false);
  store.resolve();
  await answer;
  assert.equal(heard, true);
});

test('no sender hears of a delivery before its group is on the disk, and the next group is stored meanwhile (G1)', async () => {
  const disk = Promise.withResolvers<void>();
  const groups: Group[] = [];
  const heard: string[] = [];
  const second = Promise.withResolvers<void>();
  const accept = createGroupCommit(
    async (group) => {
      groups.push(group);
      if (groups.length === 2) second.resolve();
      return idsOf(group);
    },
    () => disk.promise,
  );
  const hear = async (id: string) => {
    await accept(sampleDelivery(id));
    heard.push(id);
  };
  const first = hear('d1');
  await new Promise((resolve) => setImmediate(resolve));
  const next = hear('d2');
  await second.promise;
  assert.deepEqual(heard, []);
  disk.resolve();
  await Promise.all([first, next]);
  assert.deepEqual(heard, ['d1', 'd2']);
});

test('a group is bounded, and what is over it comes next', async () => {
  const sizes: number[] = [];
  const accept = createGroupCommit(async (group) => {
    sizes.push(group.length);
    return idsOf(group);
  }, onDisk);
  const all = Array.from({ length: 600 }, (_, index) => accept(sampleDelivery(`d${index}`)));
  assert.deepEqual(new Set(await Promise.all(all)), new Set([true]));
  assert.deepEqual(sizes, [256, 256, 88]);
});

test('a group that failed fails those in it and none after them', async () => {
  let fail = true;
  const accept = createGroupCommit(async (group) => {
    if (fail) throw new Error('the disk is full');
    return idsOf(group);
  }, onDisk);
  const answers = await Promise.allSettled(['d1', 'd2'].map((id) => accept(sampleDelivery(id))));
  for (const answer of answers) {
    assert.equal(answer.status === 'rejected' && String(answer.reason), 'Error: the disk is full');
  }
  fail = false;
  assert.equal(await accept(sampleDelivery('d1')), true);
});

test('a group is bounded by its text, too, but a large delivery still goes alone', async () => {
  const sizes: number[] = [];
  const accept = createGroupCommit(
    async (group) => {
      sizes.push(group.length);
      return idsOf(group);
    },
    onDisk,
    { groupText: 100, text: 10_000 },
  );
  const sized = (id: string, length: number) => ({
    ...sampleDelivery(id),
    payload: 'x'.repeat(length),
  });
  const all = [sized('d1', 60), sized('d2', 40), sized('d3', 500), sized('d4', 1)];
  await Promise.all(all.map((delivery) => accept(delivery)));
  assert.deepEqual(sizes, [2, 1, 1]);
});

test('while the store is slow no more text waits than there is room for, and later there is room again (G9)', async () => {
  const store = Promise.withResolvers<void>();
  const accept = createGroupCommit(
    async (group) => {
      await store.promise;
      return idsOf(group);
    },
    onDisk,
    { groupText: 100, text: 100 },
  );
  const sized = (id: string) => ({ ...sampleDelivery(id), payload: 'x'.repeat(50) });
  const taken = [accept(sized('d1')), accept(sized('d2'))];
  await assert.rejects(accept(sized('d3')), { name: 'RetryableError', code: 'intake-full' });
  store.resolve();
  assert.deepEqual(await Promise.all(taken), [true, true]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await accept(sized('d3')), true);
});

test('where several may be under way, what is enough for a group does not wait for the turn to end, and the rest waits until it is enough or the others are stored', async () => {
  const stores: PromiseWithResolvers<void>[] = [];
  const sizes: number[] = [];
  const accept = createGroupCommit(
    async (group) => {
      sizes.push(group.length);
      const store = Promise.withResolvers<void>();
      stores.push(store);
      if (sizes.length <= 2) await store.promise;
      return idsOf(group);
    },
    onDisk,
    { underWay: 2 },
  );
  const all = Array.from({ length: 16 }, (_, index) => accept(sampleDelivery(`a${index}`)));
  assert.deepEqual(sizes, [16]);
  all.push(accept(sampleDelivery('alone')));
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sizes, [16]);
  all.push(...Array.from({ length: 40 }, (_, index) => accept(sampleDelivery(`b${index}`))));
  assert.deepEqual(sizes, [16, 16]);
  stores[0]?.resolve();
  await all.at(-1);
  assert.deepEqual(sizes, [16, 16, 25]);
  stores[1]?.resolve();
  assert.deepEqual(new Set(await Promise.all(all)), new Set([true]));
});
