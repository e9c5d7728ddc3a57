import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inGroups } from '../../src/lib/in-groups.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is asked for in one turn, or while a group is under way, is done together', async () => {
  const groups: number[][] = [];
  const gates: (() => void)[] = [];
  const double = inGroups<number, number>(async (items) => {
    groups.push([...items]);
    await new Promise<void>((resolve) => gates.push(resolve));
    return items.map((item) => 2 * item);
  });
  const first = [1, 2, 3].map(double);
  await turn();
  await turn();
  const second = [4].map(double);
  await turn();
  second.push(double(5));
  gates.shift()?.();
  assert.deepEqual(await Promise.all(first), [2, 4, 6]);
  await turn();
  await turn();
  gates.shift()?.();
  assert.deepEqual(await Promise.all(second), [8, 10]);
  assert.deepEqual(groups, [
    [1, 2, 3],
    [4, 5],
  ]);
});

test('a group that fails fails for each in it, and for none after it', async () => {
  const failure = new Error('away');
  let failing = true;
  const same = inGroups<number, number>(async (items) => {
    if (failing) throw failure;
    return items;
  });
  const all = await Promise.allSettled([1, 2].map(same));
  assert.deepEqual(
    all.map((one) => one.status === 'rejected' && one.reason),
    [failure, failure],
  );
  failing = false;
  assert.equal(await same(3), 3);
});
