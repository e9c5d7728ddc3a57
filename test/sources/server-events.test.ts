import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pushEventName, pushPayload } from '../../src/controller/push-payload.ts';
import type { Event, Json } from '../../src/model/event.ts';
import { serverDeliveries, toEvent } from '../../src/sources/events.ts';

const ZERO = '0'.repeat(40);
const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

// After https://docs.gitlab.com/user/project/integrations/webhook_events/
const gitlab = (changes: { [key: string]: Json } = {}): { [key: string]: Json } => ({
  object_kind: 'push',
  event_name: 'push',
  before: A,
  after: B,
  ref: 'refs/heads/main',
  ref_protected: true,
  checkout_sha: B,
  user_username: 'jsmith',
  project_id: 15,
  project: {
    id: 15,
    name: 'Diaspora',
    web_url: 'http://example.com/mike/diaspora',
    git_http_url: 'http://example.com/mike/diaspora.git',
    path_with_namespace: 'mike/sub/diaspora',
    default_branch: 'main',
  },
  repository: { name: 'Diaspora', url: 'git@example.com:mike/diaspora.git' },
  commits: [{ id: B, added: ['CHANGELOG'], modified: ['app.rb'], removed: [] }],
  total_commits_count: 1,
  ...changes,
});

// After https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
const change = (name: string, to: string | null, from: string | null = A, type = 'branch') => {
  const side = (hash: string | null) =>
    hash === null ? null : { type, name, target: { type: 'commit', hash, message: 'x' } };
  return { old: side(from), new: side(to), created: from === null, closed: to === null };
};
const bitbucket = (...changes: Json[]): Json => ({
  actor: { type: 'user', nickname: 'emmap1' },
  repository: { type: 'repository', full_name: 'team_name/repo_name', uuid: '{673a}' },
  push: { changes },
});

// After https://docs.gitea.com/usage/webhooks
const gitea = (changes: { [key: string]: Json } = {}): { [key: string]: Json } => ({
  ref: 'refs/heads/develop',
  before: A,
  after: B,
  compare_url: `http://localhost:3000/gitea/webhooks/compare/${A}...${B}`,
  commits: [],
  repository: { id: 140, full_name: 'gitea/webhooks', clone_url: 'http://localhost:3000/x.git' },
  pusher: { id: 1, login: 'gitea' },
  ...changes,
});

const push = (changes: object): Event => ({
  kind: 'push',
  repository: 'work:mike/sub/diaspora',
  ref: 'refs/heads/main',
  branch: 'main',
  tag: undefined,
  before: A,
  sha: B,
  created: false,
  deleted: false,
  forced: false,
  changedPaths: { complete: false, reason: 'the server does not say whether it was forced' },
  ...changes,
});
const release = (changes: object): Event => ({
  kind: 'release',
  repository: 'work:gitea/webhooks',
  action: 'published',
  tag: 'v1',
  draft: false,
  prerelease: false,
  sha: undefined,
  ...changes,
});
const ofBitbucket = { repository: 'work:team_name/repo_name' };
const ofGitea = { repository: 'work:gitea/webhooks', ref: 'refs/heads/develop', branch: 'develop' };

const EVENTS: [string, Json, Event][] = [
  ['a push of GitLab', gitlab(), push({})],
  ['a new branch of GitLab', gitlab({ before: ZERO }), push({ before: undefined, created: true })],
  [
    'a tag of GitLab, annotated',
    gitlab({ object_kind: 'tag_push', before: ZERO, ref: 'refs/tags/v1', checkout_sha: A }),
    push({ ref: 'refs/tags/v1', branch: undefined, tag: 'v1', before: undefined, created: true }),
  ],
  [
    'a branch of GitLab that is gone',
    gitlab({ after: ZERO, checkout_sha: null }),
    push({ sha: undefined, deleted: true }),
  ],
  [
    'a release of GitLab',
    gitlab({ object_kind: 'release', action: 'create', tag: 'v1' }),
    release({ repository: 'work:mike/sub/diaspora' }),
  ],
  [
    'a release of GitLab that is gone',
    gitlab({ object_kind: 'release', action: 'delete', tag: 'v1' }),
    release({ repository: 'work:mike/sub/diaspora', action: 'deleted' }),
  ],
  ['a push of Bitbucket', bitbucket(change('main', B)), push(ofBitbucket)],
  [
    'a tag of Bitbucket',
    bitbucket(change('v1', B, null, 'tag')),
    push({
      ...ofBitbucket,
      ref: 'refs/tags/v1',
      branch: undefined,
      tag: 'v1',
      before: undefined,
      created: true,
    }),
  ],
  [
    'a branch of Bitbucket that is gone',
    bitbucket(change('main', null)),
    push({ ...ofBitbucket, sha: undefined, deleted: true }),
  ],
  ['a push of Gitea', gitea(), push(ofGitea)],
  [
    'a release of Gitea',
    gitea({ action: 'published', release: { tag_name: 'v1', draft: true, prerelease: true } }),
    release({ draft: true, prerelease: true }),
  ],
  [
    'a changed release of Gitea',
    gitea({ action: 'updated', release: { tag_name: 'v1' } }),
    release({ action: 'edited' }),
  ],
];

for (const [what, body, expected] of EVENTS) {
  test(`${what} is the event that it would be on GitHub, of the server that the hook names`, () => {
    assert.deepEqual(toEvent('push@work', body), expected);
    // What is stored names the kind and the repository as they are in the body.
    const [stored, ...others] = serverDeliveries('work', body);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [stored?.event, stored?.repository, stored?.payload],
      [`${expected.kind}@work`, expected.repository, body],
    );
  });
}

test('what says that it is from elsewhere, or holds what no ref, commit or path can be, is no push', () => {
  const hostile: Json[] = [
    ...[
      '../../etc',
      'a/../b',
      '/a/b',
      'a',
      'a/b.git',
      'a//b',
      'work:a/b',
      'a/b?x',
      'a/-/../b',
      'ü/b',
    ].map((path) => gitlab({ project: { path_with_namespace: path } })),
    gitlab({ project: null }),
    gitlab({ ref: 'main' }),
    gitlab({ ref: 'refs/heads/--upload-pack=x y' }),
    gitlab({ after: 'HEAD' }),
    gitlab({ after: `${B}\n` }),
    gitlab({ object_kind: ['push'] }),
    gitlab({ object_kind: 'release', action: 'create', tag: 'a..b' }),
    bitbucket(change('main', 'HEAD')),
    bitbucket(change('a b', B)),
    bitbucket(change('main', B, A, 'bookmark')),
    bitbucket({ old: null, new: null }),
    bitbucket(change('main', B), change('other', B)),
    bitbucket(),
    gitea({ repository: { full_name: 'a/b/../c' } }),
    gitea({ ref: '--force' }),
    gitea({ action: 'published', release: { tag_name: '' } }),
    gitea({ action: 'opened', issue: {} }),
    null,
    [],
    'text',
    {},
  ];
  for (const body of hostile) {
    assert.equal(toEvent('push@work', body).kind, 'other', JSON.stringify(body));
  }
});

test('a push of GitHub is never of another server, nor the other way round', () => {
  const named = { ...gitea(), repository: { full_name: 'work:acme/shop' } };
  assert.equal(toEvent('push', named).kind, 'other');
  for (const name of ['hook:push', 'push@', 'push@A b', '@']) {
    assert.equal(toEvent(name, gitea()).kind, 'other', name);
  }
});

test('a push of several refs to Bitbucket is a delivery for each, in their order', () => {
  const body = bitbucket(change('main', B), change('gone', null), change('v1', B, null, 'tag'));
  const stored = serverDeliveries('work', body);
  assert.deepEqual(
    stored.map(({ event, payload }) => {
      const meant = toEvent(event, payload);
      return meant.kind === 'push' ? [meant.ref, meant.sha] : meant;
    }),
    [
      ['refs/heads/main', B],
      ['refs/heads/gone', undefined],
      ['refs/tags/v1', B],
    ],
  );
});

test('a push that was found by looking is one of the server', () => {
  const move = { repository: 'work:a/b/c', ref: 'refs/heads/main', before: A, after: B, since: 1 };
  const by = { name: 'a', email: 'a@example.com' };
  const facts = { message: 'x', committedAt: '2026-01-01T00:00:00Z', author: by, committer: by };
  const name = pushEventName(move.repository);
  const found = toEvent(name, pushPayload(move, facts, false));
  assert.deepEqual(found, push({ repository: 'work:a/b/c' }));
  assert.equal(pushEventName('a/b'), 'push');
});
