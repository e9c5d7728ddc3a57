import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Context } from 'koa';
import { eventStream } from '../../src/http/api/event-stream.ts';

/** As much of Koa's context as an event stream uses; the body is not read until the test does. */
function open() {
  const res = new EventEmitter();
  const standing = { enter: () => () => undefined, follow: () => () => undefined };
  const state = { stopping: new AbortController().signal, standing };
  const ctx = {
    res,
    state,
    req: new EventEmitter(),
    set: () => undefined,
    body: undefined as unknown,
  };
  const stream = eventStream(ctx as unknown as Context, async () => undefined);
  return { stream, body: ctx.body as Readable, res };
}

test('a quiet stream is kept alive by comments', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { stream, body } = open();
  t.mock.timers.tick(45_000);
  stream.end();
  assert.equal((await text(body)).match(/^: still here$/gm)?.length, 3);
});

test('nothing is written behind the end while a slow client still reads', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { stream, body } = open();
  await stream.send('log', { text: 'last' }, 7);
  stream.end();
  t.mock.timers.tick(60_000);
  await stream.send('log', { text: 'too late' });
  assert.equal(await text(body), ': mainsheet\n\nid: 7\nevent: log\ndata: {"text":"last"}\n\n');
});

test('when the client has gone, who waits for it goes on, and nothing is sent any more', async () => {
  const { stream, body, res } = open();
  const waiting = stream.send('log', { text: 'x'.repeat(1024 * 1024) });
  const closed = once(body, 'close');
  res.emit('close');
  await Promise.all([waiting, closed]);
  assert.equal(stream.signal.aborted, true);
  await stream.send('log', {});
});
