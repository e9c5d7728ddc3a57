import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEventStream, type ServerEvent } from '../../src/lib/read-event-stream.ts';

async function read(bytes: AsyncIterable<Uint8Array>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEventStream(bytes)) events.push(event);
  return events;
}

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const STREAM = [
  ': a comment',
  '',
  'id: 0',
  'event: log',
  'data: {"text":"grün"}',
  '',
  'data: two',
  'data:lines',
  '',
  'event: empty',
  '',
  'event: end',
  'data: {}',
  '',
  'data: cut off',
].join('\n');

test('events are read whole, however the bytes are cut', async () => {
  for (const size of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(await read(inPieces(STREAM, size)), [
      { event: 'log', data: '{"text":"grün"}' },
      { event: 'message', data: 'two\nlines' },
      { event: 'end', data: '{}' },
    ]);
  }
});

test('lines may end in CRLF', async () => {
  const stream = inPieces('event: log\r\ndata: 1\r\n\r\n', 4);
  assert.deepEqual(await read(stream), [{ event: 'log', data: '1' }]);
});

test('an endless line, and an event of endless lines, are refused instead of kept in memory', async () => {
  async function* endless(text: string): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(text);
    for (let mebibytes = 0; mebibytes < 20; mebibytes += 1) yield bytes;
  }
  for (const text of ['x', `data: ${'x'.repeat(1018)}\n`]) {
    const mebibyte = text.repeat(Math.ceil((1024 * 1024) / text.length));
    await assert.rejects(read(endless(mebibyte)), { code: 'event-too-large' });
  }
});
