import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { AnyCallback } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import type { Store } from '../../src/store/index.ts';
import type { OutboxEntry } from '../../src/store/outbox.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';
import { startStandIn } from '../github/stand-in.ts';
import { connect, createTestClock } from '../github/support.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';

const KEY = 'a key that signs';

test('a change of a run arrives as a CloudEvent in structured mode, signed, and the same for each try', async (t) => {
  const server = await startStandIn(t, () => ({ status: 202 }), { validate: false });
  const clock = createTestClock();
  const { spec } = sampleLoaded({
    notify: [
      {
        kind: 'cloudevents',
        on: ['succeeded'],
        url: `${server.url}/events/\${{ run.spec }}`,
        secret: 'KEY',
      } as AnyNotify,
    ],
    secrets: ['KEY'],
  });
  const render = createRender({
    store: { inbox: { get: async () => undefined } } as unknown as Store,
    specOf: async () => spec,
    secret: () => KEY,
    publicUrl: 'https://mainsheet.example',
  });
  const run = {
    ...sampleRun('r1', { spec: 'shop', state: 'succeeded', delivery: 'd1' }),
    sequence: 1,
  };
  const callback = { kind: 'cloudevents', notify: 0, run } as AnyCallback;
  const createdAt = Date.parse('2026-11-29T12:00Z');
  const entry: Partial<OutboxEntry> = { id: 7, run: 'r1', callback, createdAt };
  const message = await render(entry as OutboxEntry);
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const sender = createSender({ github, clock });
  for (const retried of [false, true]) {
    await sender.send(message, { retried, ageMs: 0, signal: new AbortController().signal });
  }

  const [first, second] = server.requests;
  assert.ok(first && second);
  assert.equal(first.path, '/events/shop');
  assert.equal(first.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
  assert.equal(first.text, second.text);
  const { data, ...attributes } = first.body as { data: Record<string, unknown> };
  assert.deepEqual(attributes, {
    specversion: '1.0',
    id: 'msg_r1_7',
    source: 'https://mainsheet.example',
    type: 'mainsheet.run.succeeded',
    subject: 'r1',
    time: '2026-11-29T12:00:00.000Z',
    datacontenttype: 'application/json',
  });
  assert.equal(data['delivery'], 'd1');
  assert.equal(data['url'], 'https://mainsheet.example/runs/r1');
  const headers = Object.fromEntries(
    Object.entries(first.headers).map(([name, value]) => [name, String(value)]),
  );
  new Webhook(Buffer.from(KEY), { format: 'raw' }).verify(first.text, headers);
});
