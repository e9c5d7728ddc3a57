import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

/** GitHub's own example of a comment on a commit. */
function onCommit(body: string): Json {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions: { name: string; examples: { [key: string]: Json }[] }[] = JSON.parse(
    readFileSync(path, 'utf8'),
  );
  const [example] = definitions.find(({ name }) => name === 'commit_comment')?.examples ?? [];
  const comment = example?.['comment'] as { [key: string]: Json };
  return { ...example, comment: { ...comment, body } };
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

test('a comment on a commit names it', () => {
  const event = parseEvent('commit_comment', onCommit('/deploy production'));
  assert.partialDeepStrictEqual(event, {
    kind: 'comment',
    by: 'Codertocat',
    comment: 33548674,
    writtenAt: Date.parse('2019-05-15T15:20:39Z'),
    on: { commit: '6113728f27ae82c7b1a177c8d03f9e96e0adf246' },
    command: { name: 'deploy', target: 'production' },
  });
  assert.equal(parseEvent('commit_comment', onCommit('a good change')).kind, 'other');
  assert.equal(parseEvent('issue_comment', onCommit('/retry')).kind, 'other');
});

test('an edit is told as one, where it has made the command', () => {
  const edit = (from: string) =>
    written('/deploy production\n', { action: 'edited', changes: { body: { from } } });
  assert.partialDeepStrictEqual(edit('thank you'), { kind: 'comment', isEdited: true });
  assert.partialDeepStrictEqual(edit('/deploy staging'), { kind: 'comment', isEdited: true });
  assert.equal(edit('/deploy production\nplease').kind, 'other', 'it stood there before');
  const untouched = written('/deploy production', { action: 'edited', changes: {} });
  assert.equal(untouched.kind, 'other');
});

test('deleted comments, comments on issues, and those of bots and Apps are not heard', () => {
  const body = '/deploy production';
  for (const more of [
    { action: 'deleted' },
    { issue: { number: 12 } },
    { sender: { login: 'mainsheet[bot]', type: 'Bot' } },
    { comment: { id: 99, body, performed_via_github_app: { id: 5 } } },
  ]) {
    assert.equal(written(body, more).kind, 'other', JSON.stringify(more));
  }
  assert.partialDeepStrictEqual(written(body), { kind: 'comment', isEdited: false });
});
