import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { createTerminal, mayColour, type OutputStream } from '../../src/commands/terminal.ts';

test('only a terminal that is not dumb is coloured, and never against NO_COLOR', () => {
  const terminal: OutputStream = Object.assign(new PassThrough(), { isTTY: true });
  assert.equal(mayColour(terminal, {}), true);
  assert.equal(mayColour(terminal, { NO_COLOR: '' }), true);
  assert.equal(mayColour(terminal, { NO_COLOR: '1' }), false);
  assert.equal(mayColour(terminal, { TERM: 'dumb' }), false);
  assert.equal(mayColour(new PassThrough(), {}), false);
});

test('a slow reader is waited for, and leaves no listeners behind', async () => {
  let most = 0;
  const stdout = new Writable({
    highWaterMark: 1,
    write(_chunk, _encoding, done) {
      most = Math.max(most, stdout.writableLength);
      setImmediate(done);
    },
  });
  const terminal = createTerminal({ stdout, stderr: new PassThrough(), env: {} });
  const before = stdout.listenerCount('close');
  for (let line = 0; line < 50; line += 1) await terminal.write('0123456789');
  assert.equal(most, 10, 'never more than one piece is kept');
  assert.equal(stdout.listenerCount('close'), before);
  assert.equal(stdout.listenerCount('drain'), 0);
});

test('a reader that goes away while it is waited for ends the wait', async () => {
  const stdout = new Writable({ highWaterMark: 1, write: () => {} });
  const terminal = createTerminal({ stdout, stderr: new PassThrough(), env: {} });
  const writing = terminal.write('0123456789');
  stdout.destroy();
  await writing;
  await terminal.write('more');
});
