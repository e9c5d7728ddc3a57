import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GITHUB_HEADERS, HOOK_HEADERS, keptHeaders } from '../../src/sources/kept-headers.ts';

test('headers that are kept take at most 2 KB, whatever is in them', () => {
  for (const value of ['x', '"', 'ü', '\t']) {
    const text = keptHeaders(HOOK_HEADERS, () => value.repeat(10_000)) ?? '';
    assert.ok(Buffer.byteLength(text) <= 2048);
    const kept = JSON.parse(text) as Record<string, string>;
    assert.equal(kept['User-Agent'], value.repeat(200));
  }
  assert.equal(
    keptHeaders(GITHUB_HEADERS, () => ''),
    undefined,
  );
});

test('no header is kept in which senders put signatures, tokens or addresses', () => {
  const secret = /sign|hmac|token|secret|auth|cookie|key$|forwarded|real-ip|cert/i;
  const named = HOOK_HEADERS.filter((name) => secret.test(name));
  // An id that is made for one event, and Bitbucket's name of the event.
  assert.deepEqual(named, ['Idempotency-Key', 'X-Event-Key']);
});
