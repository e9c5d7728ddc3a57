import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { LINGER_MS } from '../../src/http/linger.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { startHttp } from './fixture.ts';
import { rawRequest, readAnswer } from './raw.ts';

const MIB = 1024 * 1024;
const LIMIT = 25 * MIB;

const head = (...more: string[]) =>
  [
    'POST /webhooks/v1/github HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'X-GitHub-Event: push',
    'X-GitHub-Delivery: d1',
    `X-Hub-Signature-256: sha256=${'0'.repeat(64)}`,
    ...more,
    '',
    '',
  ].join('\r\n');

test('a body that says it is too large is refused before any of it is sent', async (t) => {
  const { port, store } = await startHttp(t);
  const answer = await rawRequest(port, head(`Content-Length: ${LIMIT + 1}`));
  assert.equal(answer.status, 413);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.equal((JSON.parse(answer.body) as { code: string }).code, 'body-too-large');
  assert.equal(answer.headers['connection'], 'close');
  assert.equal(await store.inbox.countPending(), 0);
});

test('a body as large as GitHub’s largest is read', async (t) => {
  const { url, store } = await startHttp(t);
  const response = await asAdmin(`${url}/webhooks/v1/github`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'push',
      'X-GitHub-Delivery': 'd1',
      'X-Hub-Signature-256': `sha256=${'0'.repeat(64)}`,
    },
    body: Buffer.alloc(LIMIT, ' '),
  });
  assert.equal(response.status, 401);
  assert.equal(await store.inbox.countPending(), 0);
});

test('a body without an end is refused at the limit, and a sender that goes on all the same is cut off', async (t) => {
  const patience = Promise.withResolvers<void>();
  const sleep: Clock['sleep'] = (ms) =>
    ms === LINGER_MS ? patience.promise : new Promise(() => {});
  const { port, store } = await startHttp(t, { sleep });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const chunk = Buffer.concat([
    Buffer.from('10000\r\n'),
    Buffer.alloc(0x10000, 'a'),
    Buffer.from('\r\n'),
  ]);
  let sent = 0;
  let answered = 0;
  const pour = () => {
    while (socket.writable) {
      sent += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', pour);
  socket.once('data', () => (answered = sent));
  socket.write(head('Transfer-Encoding: chunked'), pour);
  const answer = readAnswer(socket);
  // It goes on sending after it was told, and what it sends is taken, so that it may read in peace.
  await until('it was told and went on', () => answered > 0 && sent > answered + 4 * MIB);
  assert.equal(socket.destroyed, false);
  patience.resolve();
  const { status, headers } = await answer;
  assert.equal(status, 413);
  assert.equal(headers['connection'], 'close');
  assert.ok(answered > LIMIT, `refused after ${answered} bytes`);
  assert.equal(await store.inbox.countPending(), 0);
});

test('a client that is refused in the midst of a body may read the answer, and the connection is closed with it', async (t) => {
  // Time does not pass here: the connection ends because the client hangs up when it has been told.
  const { port } = await startHttp(t);
  const wrong = head(`Content-Length: ${LIMIT}`).replace('X-GitHub-Event', 'X-Event');
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(wrong);
  const answer = readAnswer(socket);
  // As much as fits into no buffer: it can only be sent when it is read.
  socket.write(Buffer.alloc(LIMIT - 1, ' '));
  assert.equal((await answer).status, 400);
  assert.equal(await closed, false, 'without an error on its side');
});

test('a sender that hangs up in the midst of its body leaves nothing', async (t) => {
  const { port, store, url } = await startHttp(t);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`${head('Content-Length: 1000')}{"half":`, () => socket.destroy());
  await new Promise((resolve) => socket.once('close', resolve));
  assert.equal((await asAdmin(`${url}/healthz`)).status, 200);
  assert.equal(await store.inbox.countPending(), 0);
});

test('a sender that closes after fewer bytes than it said is told so', async (t) => {
  const { port } = await startHttp(t);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(`${head('Content-Length: 1000')}{"half":`);
  const answer = await readAnswer(socket);
  assert.equal(answer.status, 400);
});

test('after a refusal before a large body was read, the connection is not used again', async (t) => {
  const { port } = await startHttp(t);
  const text = head('Content-Length: 100000').replace('X-GitHub-Event: push\r\n', '');
  const answer = await rawRequest(port, `${text}${'x'.repeat(10)}`);
  assert.equal(answer.status, 400);
  assert.equal(answer.headers['connection'], 'close');
});

test('a small body that was refused unread is thrown away: the connection serves the next request', async (t) => {
  const { port } = await startHttp(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = async (path: string) => {
    const sent = request({ port, path, method: 'POST', agent });
    sent.end('x'.repeat(1000));
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    return { status: answer.statusCode, reused: sent.reusedSocket };
  };
  assert.deepEqual(await ask('/webhooks/v1/hooks/nothing'), { status: 404, reused: false });
  assert.deepEqual(await ask('/webhooks/v1/github'), { status: 415, reused: true });
  assert.deepEqual(await ask('/webhooks/v1/hooks/nothing'), { status: 404, reused: true });
});

test('what does not speak HTTP is refused', async (t) => {
  const { port } = await startHttp(t);
  assert.equal((await rawRequest(port, 'hello\r\n\r\n')).status, 400);
});

test('slow senders and idle connections are bounded in time, headers in number', async (t) => {
  const { server } = await startHttp(t);
  assert.ok(server.headersTimeout > 0 && server.headersTimeout <= 10_000);
  assert.ok(server.requestTimeout > 0 && server.requestTimeout <= 60_000);
  assert.ok(server.keepAliveTimeout > 0 && server.keepAliveTimeout <= 10_000);
  assert.equal(server.maxHeadersCount, 100);
});
