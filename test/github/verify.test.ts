import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { checkSignature } from '../../src/github/verify.ts';

function sign(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** Whether a body that comes in two pieces verifies. */
function verifies(secrets: string[], text: string | Uint8Array, signature: string): boolean {
  const body = Buffer.from(text);
  const check = checkSignature(secrets, signature);
  const half = Math.ceil(body.length / 2);
  for (const chunk of [body.subarray(0, half), body.subarray(half)]) check?.update(chunk);
  return check?.matches() ?? false;
}

test('the example in GitHub’s documentation verifies', () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  assert.equal(verifies(["It's a Secret to Everybody"], 'Hello, World!', signature), true);
});

test('any of several secrets will do, and none of others', () => {
  const body = '{"ü":"☃"}';
  assert.equal(verifies(['new', 'old'], body, sign('old', body)), true);
  assert.equal(verifies(['new', 'old'], body, sign('new', body)), true);
  assert.equal(verifies(['new', 'old'], body, sign('other', body)), false);
  assert.equal(verifies([], body, sign('new', body)), false);
  assert.equal(verifies([''], body, sign('', body)), false);
});

test('a changed body does not verify', () => {
  assert.equal(verifies(['s'], '{} ', sign('s', '{}')), false);
});

test('what is no signature at all is refused without an error', () => {
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
    assert.equal(verifies(['s'], '{}', signature), false, signature);
  }
  assert.equal(verifies(['s'], '', right), false);
});

test('what is signed are bytes: others that are shown as the same text do not verify', () => {
  const shown = Buffer.from('{"a":"\uFFFD"}');
  const invalid = Buffer.from(shown.toString('latin1').replace('\xef\xbf\xbd', '\xff'), 'latin1');
  assert.equal(invalid.toString('utf8'), shown.toString('utf8'));
  assert.equal(verifies(['s'], shown, sign('s', shown.toString())), true);
  assert.equal(verifies(['s'], invalid, sign('s', shown.toString())), false);
});
