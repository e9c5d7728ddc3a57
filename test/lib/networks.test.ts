import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworks } from '../../src/lib/networks.ts';

test('each address is looked for in the networks, whichever was looked for before', () => {
  const isIn = createNetworks(['10.0.0.0/8', 'fd00::/8']);
  const cases = [
    ['', false],
    ['10.1.2.3', true],
    ['11.1.2.3', false],
    ['::ffff:10.1.2.3', true],
    ['fd12::1', true],
    ['fe12::1', false],
    ['10.1.2.3', true],
  ] as const;
  for (const [address, expected] of cases) {
    assert.equal(isIn(address), expected, address);
    assert.equal(isIn(address), expected, `${address}, again`);
  }
});
