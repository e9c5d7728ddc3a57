import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryDigest } from '../../../src/sources/github/delivery-digest.ts';

test('a delivery is known by its event and by the signature of its body', () => {
  const known = deliveryDigest('push', 'sha256=aa');
  assert.equal(deliveryDigest('push', 'sha256=aa'), known);
  assert.notEqual(deliveryDigest('push', 'sha256=ab'), known);
  assert.notEqual(deliveryDigest('release', 'sha256=aa'), known);
});
