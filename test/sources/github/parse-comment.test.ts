import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../../../src/model/event.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';

function written(body: string, more: { [key: string]: Json } = {}) {
  return parseEvent('issue_comment', {
    action: 'created',
    issue: { number: 12, pull_request: { url: 'https://api.github.com/repos/acme/shop/pulls/12' } },
    comment: { id: 99, body, performed_via_github_app: null },
    repository: { id: 1, full_name: 'acme/shop' },
    sender: { login: 'alice', type: 'User' },
    ...more,
  });
}

function commandIn(body: string): unknown {
  const event = written(body);
  if (event.kind !== 'comment') return undefined;
  const { name, target, revision, reason } = event.command;
  return [name, target, revision, reason];
}

test('the first line of a comment is a command', () => {
  assert.deepEqual(commandIn('/deploy production'), ['deploy', 'production', undefined, undefined]);
  assert.deepEqual(commandIn('/deploy production abc1234\r\n\r\nPlease.'), [
    'deploy',
    'production',
    'abc1234',
    undefined,
  ]);
  assert.deepEqual(commandIn('/rollback production it is slow'), [
    'rollback',
    'production',
    undefined,
    'it is slow',
  ]);
  for (const name of ['retry', 'approve', 'explain']) {
    assert.deepEqual(commandIn(`/${name}`), [name, undefined, undefined, undefined]);
  }
});

test('what is not exactly a command is none', () => {
  for (const body of [
    'please /deploy production',
    'x\n/deploy production',
    '/deploy',
    '/deploy --force',
    '/deploy production main; rm -rf /',
    '/deployed production',
    '> /approve',
  ]) {
    assert.equal(commandIn(body), undefined, body);
  }
});

test('edited comments, comments on issues, and those of bots and Apps are not heard', () => {
  const body = '/deploy production';
  for (const more of [
    { action: 'edited' },
    { issue: { number: 12 } },
    { sender: { login: 'mainsheet[bot]', type: 'Bot' } },
    { comment: { id: 99, body, performed_via_github_app: { id: 5 } } },
  ]) {
    assert.equal(written(body, more).kind, 'other', JSON.stringify(more));
  }
  assert.equal(written(body).kind, 'comment');
});
