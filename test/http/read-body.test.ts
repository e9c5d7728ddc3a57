import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { BODY_LIMITS, type BodyLimits } from '../../src/http/body-room.ts';
import { RetryableError, TerminalError } from '../../src/lib/errors.ts';
import { ProblemError } from '../../src/http/problem.ts';
import { createReadBody } from '../../src/http/read-body.ts';
import type { BodyCheck } from '../../src/sources/contract.ts';

const WANTED: BodyCheck = {
  signed: '',
  whole: () => true,
  update: () => undefined,
  matches: () => true,
  refusal: () => new TerminalError('bad-signature', 'not what was signed'),
};

/** A server that answers a body with its length, or with the problem's status. */
async function start(
  t: TestContext,
  limits: Partial<BodyLimits>,
  options: { directory?: string; check?: BodyCheck; show?: (body: Buffer) => string } = {},
) {
  let now = 0;
  const readBody = createReadBody({
    clock: { elapsed: () => now, sleep: () => new Promise(() => {}) },
    directory: options.directory ?? tmpdir(),
    limits: { ...BODY_LIMITS, reserve: 0, ...limits },
  });
  const pass = (ms: number) => void (now += ms);
  const begun: (() => void)[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.once('data', () => begun.shift()?.());
    readBody(request, options.check ?? WANTED).then(
      (body) => response.end(options.show?.(body) ?? `${body.length}`),
      (error: unknown) => {
        if (error instanceof TerminalError) return response.writeHead(401).end(error.code);
        if (error instanceof RetryableError) return response.writeHead(503).end(error.code);
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
  return { open, write, listeners, pass };
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

test('when there is no more room the slowest large body is ended, and not the one that came last', async (t) => {
  const { open, write, pass } = await start(t, { each: 100, small: 20, together: 150, reserve: 0 });
  const [slow, slower] = [open(), open()];
  await write(slow.request, 40);
  await write(slower.request, 30);
  pass(1000);
  const fast = open();
  await write(fast.request, 90);
  assert.deepEqual(await slower.answer, [429, 'too-many-bodies']);
  for (const { request } of [slow, fast]) request.end();
  assert.deepEqual(await Promise.all([slow.answer, fast.answer]), [
    [200, '40'],
    [200, '90'],
  ]);
});

test('when small bodies fill the room the largest is ended, because that of a push is smaller and may be slower', async (t) => {
  const { open, write, pass } = await start(t, { each: 100, together: 150 });
  const [push, stranger] = [open(), open()];
  await write(push.request, 9);
  pass(1000);
  await write(stranger.request, 90);
  const other = open();
  await write(other.request, 80);
  assert.deepEqual(await stranger.answer, [429, 'too-many-bodies']);
  for (const { request } of [push, other]) request.end();
  assert.deepEqual(await Promise.all([push.answer, other.answer]), [
    [200, '9'],
    [200, '80'],
  ]);
});

test('large bodies leave the room that is kept for small ones, however fast they come', async (t) => {
  const { open, write, pass } = await start(t, {
    each: 100,
    small: 20,
    together: 150,
    reserve: 60,
  });
  const small = open();
  await write(small.request, 10);
  pass(1000);
  const [large, larger] = [open(), open()];
  await write(large.request, 50);
  await write(larger.request, 60);
  assert.deepEqual(await large.answer, [429, 'too-many-bodies']);
  for (const { request } of [small, larger]) request.end();
  assert.deepEqual(await Promise.all([small.answer, larger.answer]), [
    [200, '10'],
    [200, '60'],
  ]);
});

test('nothing keeps what still comes of a body that was refused, for whatever reason', async (t) => {
  const { open, write, listeners } = await start(t, { each: 100, together: 150 });
  const [large, first, second] = [open(), open(), open()];
  await write(large.request, 101);
  assert.deepEqual(await large.answer, [413, 'body-too-large']);
  await write(first.request, 90);
  await write(second.request, 61);
  assert.deepEqual(await first.answer, [429, 'too-many-bodies']);
  second.request.end();
  assert.deepEqual(await second.answer, [200, '61']);
  const [ofLarge, ofFirst] = listeners();
  assert.deepEqual([ofLarge, ofFirst], [0, 0]);
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

test('a large body waits in a file without a name, and comes back byte for byte', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-spool-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const heard: Uint8Array[] = [];
  const left: string[][] = [];
  const { open } = await start(
    t,
    { small: 1000 },
    {
      directory,
      check: {
        ...WANTED,
        update: (chunk) => void heard.push(chunk),
        matches() {
          left.push(readdirSync(directory));
          return true;
        },
      },
      show: (body) => String(body.equals(sent)),
    },
  );
  const { request, answer } = open();
  request.end(sent);
  assert.deepEqual(await answer, [200, 'true']);
  assert.ok(Buffer.concat(heard).equals(sent));
  assert.deepEqual(left, [[]]);
});

test('a large body for which the disk has no room is to be sent again later', async (t) => {
  const directory = join(tmpdir(), 'mainsheet-not-there');
  const { open } = await start(t, { small: 1000 }, { directory });
  const { request, answer } = open();
  request.end(Buffer.alloc(100_000));
  assert.deepEqual(await answer, [503, 'body-not-kept']);
});

test('a body that is not what was signed is refused, in memory and in a file', async (t) => {
  const check = { ...WANTED, whole: () => false, matches: () => false };
  const { open } = await start(t, { small: 1000 }, { check });
  for (const size of [1000, 100_000]) {
    const { request, answer } = open();
    request.end(Buffer.alloc(size));
    assert.deepEqual(await answer, [401, 'bad-signature']);
  }
});
