import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { createSignatureChecks } from '../../../src/sources/github/verify.ts';

function sign(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** Whether a body verifies; it is the same for one in memory as for one that comes in two pieces. */
async function verifies(
  secrets: string[],
  text: string | Uint8Array,
  signature: string,
): Promise<boolean> {
  const body = Buffer.from(text);
  const check = createSignatureChecks(secrets)(signature);
  if (check === undefined) return false;
  const half = Math.ceil(body.length / 2);
  for (const chunk of [body.subarray(0, half), body.subarray(half)]) {
    if (chunk.length > 0) check.update(chunk);
  }
  const inPieces = check.matches();
  assert.equal(await check.whole(body), inPieces);
  return inPieces;
}

test('the example in GitHub’s documentation verifies', async () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  assert.equal(await verifies(["It's a Secret to Everybody"], 'Hello, World!', signature), true);
});

test('any of several secrets will do, and none of others', async () => {
  const body = '{"ü":"☃"}';
  assert.equal(await verifies(['new', 'old'], body, sign('old', body)), true);
  assert.equal(await verifies(['new', 'old'], body, sign('new', body)), true);
  assert.equal(await verifies(['new', 'old'], body, sign('other', body)), false);
  assert.equal(await verifies([], body, sign('new', body)), false);
  assert.equal(await verifies([''], body, sign('', body)), false);
});

test('a changed body does not verify', async () => {
  assert.equal(await verifies(['s'], '{} ', sign('s', '{}')), false);
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
    assert.equal(await verifies(['s'], '{}', signature), false, signature);
  }
  assert.equal(await verifies(['s'], '', right), false);
});

test('what is signed are bytes: others that are shown as the same text do not verify', async () => {
  const shown = Buffer.from('{"a":"\uFFFD"}');
  const invalid = Buffer.from(shown.toString('latin1').replace('\xef\xbf\xbd', '\xff'), 'latin1');
  assert.equal(invalid.toString('utf8'), shown.toString('utf8'));
  assert.equal(await verifies(['s'], shown, sign('s', shown.toString())), true);
  assert.equal(await verifies(['s'], invalid, sign('s', shown.toString())), false);
});

test('a body that is no text is compared by its bytes, under each secret', async () => {
  const body = Buffer.from('{"a":"\xff"}', 'latin1');
  const signature = `sha256=${createHmac('sha256', 'old').update(body).digest('hex')}`;
  assert.equal(await verifies(['new', 'old'], body, signature), true);
  assert.equal(await verifies(['new'], body, signature), false);
});
