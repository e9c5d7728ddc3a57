import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../src/lib/ids.ts';

test('ids need no escaping in a path, a URL or a branch name', () => {
  for (let index = 0; index < 100; index += 1) {
    assert.match(newId(Date.now()), /^[0-9a-hjkmnp-tv-z]{26}$/);
  }
});

test('ids sort by when they were made', () => {
  const times = [0, 1, 31, 32, 1000, 1_700_000_000_000, 1_700_000_000_001, 2 ** 49];
  const ids = times.map((time) => newId(time));
  assert.deepEqual(ids.toSorted(), ids);
});

test('ids made in the same millisecond differ', () => {
  const ids = Array.from({ length: 10_000 }, () => newId(1));
  assert.equal(new Set(ids).size, ids.length);
});
