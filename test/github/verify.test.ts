import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { verifySignature } from '../../src/github/verify.ts';

function sign(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

test('the example in GitHub’s documentation verifies', async () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  assert.equal(
    await verifySignature(["It's a Secret to Everybody"], 'Hello, World!', signature),
    true,
  );
});

test('any of several secrets will do, and none of others', async () => {
  const body = '{"ü":"☃"}';
  assert.equal(await verifySignature(['new', 'old'], body, sign('old', body)), true);
  assert.equal(await verifySignature(['new', 'old'], body, sign('new', body)), true);
  assert.equal(await verifySignature(['new', 'old'], body, sign('other', body)), false);
  assert.equal(await verifySignature([], body, sign('new', body)), false);
  assert.equal(await verifySignature([''], body, sign('', body)), false);
});

test('a changed body does not verify', async () => {
  assert.equal(await verifySignature(['s'], '{} ', sign('s', '{}')), false);
});

test('what is no signature at all is refused without an error', async () => {
  const right = sign('s', '{}');
  const wrong = [
    '',
    'sha256=',
    right.slice(0, -1),
    `${right}0`,
    right.toUpperCase(),
    right.replace('sha256', 'sha512'),
    `sha256=${'☃'.repeat(64)}`,
    '\u0000'.repeat(71),
  ];
  for (const signature of wrong) {
    assert.equal(await verifySignature(['s'], '{}', signature), false, signature);
  }
  assert.equal(await verifySignature(['s'], '', right), false);
});
