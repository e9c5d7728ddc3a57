import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTunnel } from '../../src/app/tunnel.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createReceiver } from '../demo/receiver.ts';
import { recordLog } from '../support/log.ts';
import { startSmee } from '../support/smee.ts';
import { until } from '../support/until.ts';

const sign = (body: string) => `sha256=${createHmac('sha256', 's').update(body).digest('hex')}`;

/** A tunnel from a new channel to a receiver, without the waits between attempts. */
async function openTunnel(context: TestContext, options = { sendsRawBody: true }) {
  const smee = await startSmee(options);
  const receiver = await createReceiver();
  const dataDir = await mkdtemp(join(tmpdir(), 'mainsheet-tunnel-'));
  const { logger, log } = recordLog();
  const clock = {
    ...systemClock,
    sleep: () => new Promise<void>((done) => void setImmediate(done)),
  };
  const stops: (() => Promise<void>)[] = [];
  const start = async (tunnel = `${smee.url}/new`) => {
    const stopping = new AbortController();
    const webhookUrl = receiver.url;
    const { run } = createTunnel({ tunnel, webhookUrl, dataDir, fetch, clock, logger });
    const running = run(stopping.signal);
    stops.push(async () => {
      stopping.abort();
      await running;
    });
    await until('the tunnel listens', () => smee.listeners() === stops.length);
  };
  context.after(async () => {
    for (const stop of stops) await stop();
    await smee.close();
    await receiver.close();
    await rm(dataDir, { recursive: true });
  });
  await start();
  const send = (body: string, more: Record<string, string> = {}) =>
    fetch(`${smee.url}/channel-1`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': 'a-delivery',
        'x-hub-signature-256': sign(body),
        ...more,
      },
    });
  const first = () => until('a delivery comes out', () => receiver.received[0]);
  return { smee, receiver, log, start, stops, send, first };
}

test('a delivery comes out of the tunnel byte for byte, with its signature and nothing of the way', async (context) => {
  const { send, first } = await openTunnel(context);
  const body = '{ "ref": "refs\\/heads\\/main", "size": 1.0 }';
  await send(body, { 'x-forwarded-for': '203.0.113.9', cookie: 'a=b' });
  const { headers, body: received } = await first();
  assert.equal(received, body);
  assert.equal(headers['x-hub-signature-256'], sign(body));
  assert.deepEqual(
    [headers['x-github-event'], headers['x-github-delivery']],
    ['push', 'a-delivery'],
  );
  assert.deepEqual([headers['x-forwarded-for'], headers.cookie], [undefined, undefined]);
});

test('of a channel that only sends the body as it read it, what JSON.stringify writes has a signature that fits', async (context) => {
  const { send, first } = await openTunnel(context, { sendsRawBody: false });
  const body = JSON.stringify({ ref: 'refs/heads/ünï "x"' });
  await send(body);
  const { headers, body: received } = await first();
  assert.equal(headers['x-hub-signature-256'], sign(received));
});

test('a connection that is cut is opened again, the log says what to look at, and what is no delivery stops nothing', async (context) => {
  const { smee, send, first, log } = await openTunnel(context);
  smee.cut();
  const opened = () => log.filter(({ msg }) => msg === 'the tunnel is open').length;
  await until('it is open again', () => opened() === 2);
  const interrupted = log.find(({ msg }) => msg === 'the tunnel is interrupted');
  assert.match(String(interrupted?.['hint']), /reaches 127\.0\.0\.1:\d+;.*HTTPS_PROXY/);
  smee.say('data: no JSON\n\ndata: 1\n\n');
  await send('{}');
  assert.equal((await first()).body, '{}');
  assert.ok(log.some(({ msg }) => msg === 'the tunnel brought what is no delivery'));
});

test('the next start has the channel that was made before', async (context) => {
  const { smee, start, stops } = await openTunnel(context);
  await stops[0]?.();
  await until('the first has gone', () => smee.listeners() === 0);
  stops.length = 0;
  await start();
  assert.equal(smee.made(), 1);
});
