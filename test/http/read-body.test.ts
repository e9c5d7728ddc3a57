import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ProblemError } from '../../src/http/problem.ts';
import { createReadBody } from '../../src/http/read-body.ts';

/** A server that answers a body with its length, or with the problem's status. */
async function start(t: TestContext, limits: { each: number; together: number }) {
  const readBody = createReadBody(limits);
  const begun: (() => void)[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.once('data', () => begun.shift()?.());
    readBody(request).then(
      (body) => response.end(`${body.length}`),
      (error: unknown) => {
        assert.ok(error instanceof ProblemError);
        response.writeHead(error.status, error.headers).end(error.code);
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;

  /** A request whose body is written by hand, with its answer. */
  function open(headers: Record<string, string | number> = {}) {
    const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers });
    return { request, answer: answerOf(request) };
  }

  /** Writes to a request and waits until the server has begun to read it. */
  async function write(request: ClientRequest, bytes: number): Promise<void> {
    const reading = new Promise<void>((resolve) => begun.push(resolve));
    request.write(Buffer.alloc(bytes));
    await reading;
  }
  const listeners = () => requests.map((request) => request.listenerCount('data'));
  return { open, write, listeners };
}

async function answerOf(request: ClientRequest): Promise<[number, string]> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  request.on('error', () => undefined);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return [response.statusCode ?? 0, text];
}

test('a body at the limit is read, one byte more is too large', async (t) => {
  const { open } = await start(t, { each: 100, together: 1000 });
  const fits = open();
  fits.request.end(Buffer.alloc(100));
  assert.deepEqual(await fits.answer, [200, '100']);
  for (const headers of [{}, { 'Content-Length': 101 }]) {
    const tooLarge = open(headers);
    tooLarge.request.end(Buffer.alloc(101));
    assert.deepEqual(await tooLarge.answer, [413, 'body-too-large']);
  }
});

test('an empty body is a body', async (t) => {
  const { open } = await start(t, { each: 100, together: 1000 });
  const empty = open();
  empty.request.end();
  assert.deepEqual(await empty.answer, [200, '0']);
});

test('who asks for more room than is left is turned away at once', async (t) => {
  const { open, write } = await start(t, { each: 100, together: 150 });
  const first = open({ 'Content-Length': 100 });
  await write(first.request, 90);
  const second = open({ 'Content-Length': 80 });
  second.request.flushHeaders();
  assert.deepEqual(await second.answer, [429, 'too-many-bodies']);
  first.request.end(Buffer.alloc(10));
  assert.deepEqual(await first.answer, [200, '100']);
});

test('many that began while there was room do not together take more than there is', async (t) => {
  const { open, write } = await start(t, { each: 100, together: 150 });
  const [first, second] = [open(), open()];
  await write(first.request, 1);
  await write(second.request, 1);
  first.request.write(Buffer.alloc(89));
  // Both are being read. Whoever goes over the edge is turned away; the other one is not.
  second.request.write(Buffer.alloc(89));
  const turnedAway = await Promise.race([first.answer, second.answer]);
  assert.deepEqual(turnedAway, [429, 'too-many-bodies']);
  for (const { request } of [first, second]) request.end();
  const answers = await Promise.allSettled([first.answer, second.answer]);
  const fine = answers.filter((one) => one.status === 'fulfilled' && one.value[0] === 200);
  assert.equal(fine.length, 1);
});

test('nothing keeps what still comes of a body that was refused, for whatever reason', async (t) => {
  const { open, write, listeners } = await start(t, { each: 100, together: 150 });
  const [large, first, second] = [open(), open(), open()];
  await write(large.request, 101);
  assert.deepEqual(await large.answer, [413, 'body-too-large']);
  await write(first.request, 90);
  await write(second.request, 61);
  assert.deepEqual(await second.answer, [429, 'too-many-bodies']);
  first.request.end();
  assert.deepEqual(await first.answer, [200, '90']);
  const [ofLarge, , ofSecond] = listeners();
  assert.deepEqual([ofLarge, ofSecond], [0, 0]);
});

test('room is free again when a body was read or refused', async (t) => {
  const { open } = await start(t, { each: 100, together: 100 });
  for (const [size, status] of [
    [100, 200],
    [101, 413],
    [100, 200],
    [101, 413],
    [100, 200],
  ] as const) {
    const one = open();
    one.request.end(Buffer.alloc(size));
    assert.equal((await one.answer)[0], status);
  }
});
