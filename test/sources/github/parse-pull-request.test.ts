import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../../../src/model/event.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';

const HEAD = 'a'.repeat(40);

function told(more: { [key: string]: Json } = {}, pull: { [key: string]: Json } = {}) {
  return parseEvent('pull_request', {
    action: 'opened',
    number: 12,
    repository: { id: 1, full_name: 'acme/shop', default_branch: 'main' },
    pull_request: {
      number: 12,
      state: 'open',
      draft: false,
      title: 'A\ttitle\n@eve',
      updated_at: '2026-01-01T00:00:00Z',
      base: { ref: 'main', sha: 'b'.repeat(40) },
      head: { ref: 'feature', sha: HEAD },
      ...pull,
    },
    ...more,
  });
}

test('a pull request has its base, its newest commit and whether it is ready', () => {
  assert.deepEqual(told(), {
    kind: 'pull_request',
    repository: 'acme/shop',
    number: 12,
    isReady: true,
    isClosed: false,
    isReopened: false,
    base: 'main',
    head: HEAD,
    headBranch: 'feature',
    headRepository: undefined,
    title: 'A title @eve',
    defaultBranch: 'main',
    changedAt: Date.parse('2026-01-01T00:00:00Z'),
  });
  const fork = told({}, { head: { ref: 'feature', sha: HEAD, repo: { full_name: 'eve/shop' } } });
  assert.equal(fork.kind === 'pull_request' && fork.headRepository, 'eve/shop');
  const isReady = (event: ReturnType<typeof told>) =>
    event.kind === 'pull_request' && event.isReady;
  assert.equal(isReady(told({ action: 'closed' }, { state: 'closed' })), false);
  assert.equal(isReady(told({}, { draft: true })), false);
  assert.partialDeepStrictEqual(told({ action: 'reopened' }), { isReopened: true });
});

test('what changes nothing about merging it is no event of it', () => {
  const kinds = (action: string, more = {}) => told({ action, ...more }).kind;
  for (const action of ['synchronize', 'reopened', 'ready_for_review', 'converted_to_draft']) {
    assert.equal(kinds(action), 'pull_request', action);
  }
  for (const action of ['labeled', 'assigned', 'locked', 'edited']) {
    assert.equal(kinds(action), 'other', action);
  }
  assert.equal(kinds('edited', { changes: { title: { from: 'x' } } }), 'other');
  assert.equal(kinds('edited', { changes: { base: { ref: { from: 'x' } } } }), 'pull_request');
});

test('names that no commit or ref can have, and a number or time that is none, are refused', () => {
  const refused: { [key: string]: Json }[] = [
    { head: { ref: 'feature', sha: '--output=x' } },
    { head: { ref: 'a b', sha: HEAD } },
    { base: { ref: '../main' } },
    { number: -1 },
    { number: '12' },
    { updated_at: 'soon' },
    { head: null },
  ];
  for (const pull of refused) {
    const event = told({}, pull);
    assert.equal(event.kind, 'other', JSON.stringify(pull));
  }
});
