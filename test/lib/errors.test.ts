import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeError,
  MainsheetError,
  RetryableError,
  TerminalError,
  withoutStack,
} from '../../src/lib/errors.ts';

test('an error carries its code, its cause and what to do', () => {
  const cause = new Error('ENOSPC');
  const error = new TerminalError('store-full', 'cannot write', { cause, hint: 'make room' });
  assert.ok(error instanceof MainsheetError);
  assert.equal(error.name, 'TerminalError');
  assert.equal(error.code, 'store-full');
  assert.equal(error.cause, cause);
  assert.equal(error.hint, 'make room');
  assert.equal('cause' in new MainsheetError('x', 'y'), false);
});

test('a retryable error says when, if the other side did', () => {
  assert.equal(new RetryableError('x', 'y', { retryAfterMs: 500 }).retryAfterMs, 500);
  assert.equal(new RetryableError('x', 'y').retryAfterMs, undefined);
});

test('an error is described with its causes, each message once', () => {
  const root = new Error('connect ECONNREFUSED');
  const middle = new Error('fetch failed', { cause: root });
  assert.equal(
    describeError(new Error('cannot send', { cause: middle })),
    'cannot send: fetch failed: connect ECONNREFUSED',
  );
  assert.equal(describeError(new Error('a: b', { cause: new Error('b') })), 'a: b');
});

test('whatever is thrown can be described', () => {
  assert.equal(describeError('a text'), 'a text');
  assert.equal(describeError(42), '42');
  for (const nothing of [undefined, null, '', new Error('')]) {
    assert.equal(describeError(nothing), 'unknown error');
  }
});

test('causes without an end are cut off, also where they go round in a circle', () => {
  const circle = new Error('round');
  circle.cause = new Error('and', { cause: circle });
  assert.equal(describeError(circle), 'round: and');
  let deep = new Error('0');
  for (let depth = 1; depth < 100; depth += 1) deep = new Error(`<${depth}>`, { cause: deep });
  assert.equal(describeError(deep), '<99>: <98>: <97>: <96>: <95>');
});

test('an error is made without its stack, and the one after it with', () => {
  const made = withoutStack(() => new TerminalError('bad-signature', 'no'));
  assert.equal(made.stack?.includes('errors.test'), false);
  assert.throws(() =>
    withoutStack(() => {
      throw new Error('not made');
    }),
  );
  assert.match(new TerminalError('x', 'y').stack ?? '', /errors\.test/);
});
