import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { RetryableError } from '../../src/lib/errors.ts';
import { createSender } from '../../src/callbacks/send.ts';
import type { AnyMessage } from '../../src/callbacks/index.ts';
import { startStandIn, type Reply } from '../github/stand-in.ts';
import { connect, createTestClock, failureOf, isRetryable } from '../github/support.ts';

type WebhookMessage = Extract<AnyMessage, { kind: 'webhook' }>;

const PATH = '/hooks/s3cret-path?key=s3cret-query';

function sender(options: { webhookTimeoutMs?: number } = {}) {
  const clock = createTestClock();
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const outbound = createSender({ github, clock, ...options });
  return {
    clock,
    post: (message: WebhookMessage, signal = new AbortController().signal) =>
      outbound.send(message, { retried: false, ageMs: 0, signal }),
  };
}

function messageTo(url: string, more: Partial<WebhookMessage> = {}): WebhookMessage {
  const body = { type: 'run.failed', data: { reason: 'ü' } };
  return {
    kind: 'webhook',
    id: 'msg_1',
    url: url + PATH,
    key: undefined,
    body,
    ...more,
  };
}

function startReceiver(t: Parameters<typeof startStandIn>[0], reply: Reply) {
  return startStandIn(t, () => reply, { validate: false });
}

test('a message arrives as JSON that any Standard Webhooks library verifies', async (t) => {
  const server = await startReceiver(t, { status: 200 });
  const { post, clock } = sender();
  // The library refuses what is older than five minutes: the time has to be that of the try.
  clock.advance(60_000);
  const base64 = Buffer.from('0123456789abcdef').toString('base64');
  await post(messageTo(server.url, { key: `whsec_${base64}` }));
  await post(messageTo(server.url, { key: 'räw key' }));
  const [encoded, raw] = server.requests;
  assert.ok(encoded && raw);
  assert.deepEqual(
    new Webhook(base64).verify(encoded.text, headersOf(encoded.headers)),
    encoded.body,
  );
  const signed = `msg_1.${String(raw.headers['webhook-timestamp'])}.${raw.text}`;
  const expected = createHmac('sha256', 'räw key').update(signed).digest('base64');
  assert.equal(raw.headers['webhook-signature'], `v1,${expected}`);
  assert.equal(encoded.path, PATH);
  assert.equal(encoded.headers['content-type'], 'application/json');
  assert.deepEqual(encoded.body, { type: 'run.failed', data: { reason: 'ü' } });
});

function headersOf(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

test('without a key it is not signed', async (t) => {
  const server = await startReceiver(t, { status: 204 });
  await sender().post(messageTo(server.url));
  const headers = server.requests[0]?.headers ?? {};
  assert.equal(headers['webhook-signature'], undefined);
  assert.equal(headers['webhook-id'], 'msg_1');
});

test('a redirect is not followed', async (t) => {
  const elsewhere = await startReceiver(t, { status: 200 });
  const server = await startReceiver(t, { status: 307, headers: { location: elsewhere.url } });
  const failure = await failureOf(sender().post(messageTo(server.url)));
  assert.equal(failure.code, 'webhook-redirected');
  assert.equal(elsewhere.requests.length, 0);
});

test('every answer but 2xx and 410 is asked about again (Standard Webhooks)', async (t) => {
  for (const [status, retryable] of [
    [500, true],
    [503, true],
    [429, true],
    [408, true],
    [307, true],
    [400, true],
    [401, true],
    [404, true],
    [410, false],
  ] as const) {
    const server = await startReceiver(t, { status, headers: { 'retry-after': '5' } });
    const failure = await failureOf(sender().post(messageTo(server.url)));
    assert.equal(isRetryable(failure), retryable, failure.message);
    if (failure instanceof RetryableError) assert.equal(failure.retryAfterMs, 5000);
  }
});

test('a receiver that is silent, breaks off or is not there is asked again', async (t) => {
  const silent = await startReceiver(t, 'silence');
  const late = await failureOf(sender({ webhookTimeoutMs: 100 }).post(messageTo(silent.url)));
  assert.equal(late.code, 'webhook-timeout');
  const broken = await startReceiver(t, 'reset');
  const reset = await failureOf(sender().post(messageTo(broken.url)));
  assert.equal(reset.code, 'webhook-unreachable');
  const missing = await failureOf(sender().post(messageTo('http://127.0.0.1:1')));
  assert.equal(missing.code, 'webhook-unreachable');
  assert.ok([late, reset, missing].every(isRetryable));
});

test('a stopping process calls it off', async (t) => {
  const stop = new AbortController();
  const server = await startStandIn(
    t,
    () => {
      stop.abort();
      return 'silence';
    },
    { validate: false },
  );
  const failure = await failureOf(sender().post(messageTo(server.url), stop.signal));
  assert.equal(failure.code, 'webhook-aborted');
});

test('an answer that never ends keeps no other callback waiting', async (t) => {
  const server = await startReceiver(t, 'half');
  await sender().post(messageTo(server.url));
});

test('only http and https URLs without a user are posted to', async () => {
  const wrong = [
    'file:///etc/passwd',
    'ftp://x.example',
    'javascript:1',
    'x',
    '',
    'https://u:p@x.example/',
  ];
  for (const url of wrong) {
    const failure = await failureOf(sender().post({ ...messageTo(''), url }));
    assert.equal(failure.code, 'webhook-url', url);
    assert.equal(isRetryable(failure), false);
    assert.doesNotMatch(failure.message, /u:p|etc/);
  }
});

test('a key that is none is refused without showing it', async () => {
  for (const key of ['whsec_%%%hidden', 'whsec_', '']) {
    const failure = await failureOf(sender().post(messageTo('http://127.0.0.1:1', { key })));
    assert.equal(failure.code, 'webhook-key', key);
    assert.doesNotMatch(inspect(failure, { depth: 10 }), /hidden/);
  }
});

test('no error names the path or query of the URL', async (t) => {
  for (const reply of [
    'reset',
    { status: 404 },
    { status: 500 },
    { status: 302, headers: { location: PATH } },
  ] satisfies Reply[]) {
    const server = await startReceiver(t, reply);
    const failure = await failureOf(sender().post(messageTo(server.url)));
    assert.match(failure.message, /127\.0\.0\.1/);
    assert.doesNotMatch(inspect(failure, { depth: 20 }), /s3cret/);
  }
});
