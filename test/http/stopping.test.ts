import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Clock } from '../../src/lib/clock.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { startHttp } from './fixture.ts';
import { rawRequest, readAnswer } from './raw.ts';

const BODY = '{"zen":"Keep it simple."}';
const HEAD = [
  'POST /webhooks/v1/github HTTP/1.1',
  'Host: x',
  'Content-Type: application/json',
  'X-GitHub-Event: ping',
  'X-GitHub-Delivery: d1',
  `X-Hub-Signature-256: sha256=${createHmac('sha256', 'secret').update(BODY).digest('hex')}`,
  `Content-Length: ${BODY.length}`,
  '',
  '',
].join('\r\n');

/** Only what the end waits for passes, and only when the test lets it. */
function makeTime() {
  const gate = Promise.withResolvers<void>();
  let rests = 0;
  const sleep: Clock['sleep'] = async (ms, signal) => {
    if (ms === 200) {
      rests += 1;
      return await gate.promise;
    }
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
  };
  return { sleep, pass: () => gate.resolve(), rests: () => rests };
}

test('what is under way is answered and its connection closed, what comes later is told to come again, then the listener is closed', async (t) => {
  const { sleep, pass } = makeTime();
  const { port, server, store, stop } = await startHttp(t, { sleep });
  const socket = connect(port, '127.0.0.1');
  const answer = readAnswer(socket);
  const begun = once(server, 'request');
  socket.write(HEAD + BODY.slice(0, 5));
  await begun;

  const stopped = stop();
  const later = await rawRequest(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(later.status, 503);
  assert.match(later.headers['retry-after'] ?? '', /^\d+$/);
  assert.equal(later.headers['connection'], 'close');
  assert.equal((JSON.parse(later.body) as { code: string }).code, 'stopping');

  pass();
  socket.write(BODY.slice(5));
  const { status, headers } = await answer;
  assert.deepEqual([status, headers['connection']], [202, 'close']);
  await stopped;
  assert.equal(await store.inbox.countPending(), 1);
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('a new connection is waited for until its request has come, and is told to come again', async (t) => {
  const { sleep, pass, rests } = makeTime();
  const { port, server, stop } = await startHttp(t, { sleep });
  const stopped = stop();
  const accepted = once(server, 'connection');
  const socket = connect(port, '127.0.0.1');
  const answer = readAnswer(socket);
  await accepted;
  pass();
  await until('it is waited for longer than for others', () => rests() > 3);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await answer).status, 503);
  await stopped;
});

test('a stream of events ends when the server is stopped', async (t) => {
  const { sleep, pass } = makeTime();
  const { url, stop } = await startHttp(t, { sleep });
  const stream = await asAdmin(`${url}/api/v1/events`);
  const stopped = stop();
  assert.equal(await stream.text(), ': mainsheet\n\n');
  pass();
  await stopped;
});
