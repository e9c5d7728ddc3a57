import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { boundConnections, connectionLimits } from '../../src/http/connections.ts';

test('when too many connections wait, the one that has waited longest is closed', async (t) => {
  const server = await listen(t, 2);
  const first = await open(server);
  const second = await open(server);
  const third = await open(server);
  await once(first, 'close');
  third.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(String(await once(third, 'data')), /^HTTP\/1\.1 200/);
  assert.equal(second.destroyed, false);
});

test('half a request is waiting too, be it the headers or the body that is missing', async (t) => {
  const server = await listen(t, 2);
  const headers = await open(server, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow');
  const body = await open(
    server,
    'POST /silent HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nslow',
  );
  await once(server, 'request');
  await open(server);
  await once(headers, 'close');
  await open(server);
  await once(body, 'close');
});

test(
  'a connection waits too when its last request had a body that was not read',
  { timeout: 300_000 },
  async (t) => {
    const server = await listen(t, 2);
    const first = await open(
      server,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
    );
    await once(first, 'data');
    const second = await open(server);
    await open(server);
    await once(first, 'close');
    assert.equal(second.destroyed, false);
  },
);

test('a connection that is being answered is never closed for others', async (t) => {
  const server = await listen(t, 2);
  const busy = await open(server);
  busy.write('GET /silent HTTP/1.1\r\nHost: x\r\n\r\n');
  const [, response] = await once(server, 'request');
  // Listened for at once: the first ones are closed while the last ones are being opened.
  const closed: Promise<unknown>[] = [];
  for (let count = 0; count < 4; count += 1) {
    const socket = await open(server);
    closed.push(new Promise((resolve) => socket.once('close', resolve)));
  }
  await Promise.all(closed.slice(0, 2));
  response.end('done');
  assert.match(String(await once(busy, 'data')), /^HTTP\/1\.1 200/);
});

test('a client that does not read its answers is closed upon, one whose answer takes long is not', async (t) => {
  const server = await listen(t, 2, { stalledMs: 300 });
  const patient = await open(server, 'GET /silent HTTP/1.1\r\nHost: x\r\n\r\n');
  const [, response] = await once(server, 'request');
  const deaf = await open(server);
  deaf.pause();
  deaf.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
  const [request] = await once(server, 'request');
  await once(request.socket, 'close');
  response.end('done');
  assert.match(String(await once(patient, 'data')), /^HTTP\/1\.1 200/);
});

test('a client that sends thousands of requests at once has few of them answered', async (t) => {
  const server = await listen(t, 2, { stalledMs: 2000 });
  let count = 0;
  server.on('request', () => (count += 1));
  const socket = await open(server, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5000));
  await once(socket, 'close');
  assert.equal(count, 100);
});

test('there are never more connections than the process may open, with room for files', () => {
  assert.deepEqual(connectionLimits(Infinity), { most: 4096, mostWaiting: 2048 });
  assert.deepEqual(connectionLimits(1_048_576), { most: 4096, mostWaiting: 2048 });
  assert.deepEqual(connectionLimits(1024), { most: 512, mostWaiting: 256 });
});

/** Answers at once, but for `/silent`, which it leaves to the test; `/large` with more than any system buffers. */
async function listen(
  t: TestContext,
  mostWaiting: number,
  more: { stalledMs?: number } = {},
): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/large') response.end(Buffer.alloc(32 * 1024 * 1024));
    else if (request.url !== '/silent') response.end('ok');
  });
  boundConnections(server, { mostWaiting, most: 100, ...more });
  // So that nothing else closes a connection.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

/** A connection that the server knows of, with what it has sent. */
async function open(server: Server, text = ''): Promise<Socket> {
  const accepted = once(server, 'connection');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await accepted;
  if (text !== '') socket.write(text);
  return socket;
}
