import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChain } from '../../src/lib/chain.ts';

test('a chain has what came and did not go, in the order in which it came', () => {
  const chain = createChain<string>();
  assert.deepEqual([chain.size, chain.first(), [...chain]], [0, undefined, []]);
  const links = ['a', 'b', 'c', 'd'].map((value) => chain.add(value));
  const [a, , c, d] = links;
  assert.ok(a && c && d);
  assert.equal(chain.remove(a), true);
  assert.equal(chain.remove(c), true);
  assert.equal(chain.remove(c), false, 'it is out already');
  assert.deepEqual([chain.size, chain.first(), [...chain]], [2, 'b', ['b', 'd']]);
  assert.equal(chain.remove(d), true);
  chain.add('e');
  assert.deepEqual([chain.size, [...chain]], [2, ['b', 'e']]);
});

test('what is looked at may be taken out meanwhile', () => {
  const chain = createChain<number>();
  const links = new Map([1, 2, 3].map((value) => [value, chain.add(value)]));
  const seen: number[] = [];
  for (const value of chain) {
    seen.push(value);
    const link = links.get(value);
    if (link !== undefined) chain.remove(link);
  }
  assert.deepEqual([seen, chain.size], [[1, 2, 3], 0]);
});
