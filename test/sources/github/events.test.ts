import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { describePayload } from '../../../src/sources/github/describe-delivery.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';
import type { Event, Json, PushEvent } from '../../../src/model/event.ts';

const BEFORE = 'a'.repeat(40);
const AFTER = 'b'.repeat(40);
const TAG_OBJECT = 'c'.repeat(40);
const ZERO = '0'.repeat(40);

type Fields = Record<string, Json>;

function commit(id: string, files: Fields = {}): Fields {
  return { id, added: [], modified: [], removed: [], ...files };
}

function push(changes: Fields = {}): Fields {
  return {
    ref: 'refs/heads/main',
    before: BEFORE,
    after: AFTER,
    created: false,
    deleted: false,
    forced: false,
    repository: { full_name: 'acme/shop' },
    head_commit: { id: AFTER },
    commits: [commit(AFTER, { added: ['a.ts'], modified: ['b.ts'], removed: ['c.ts'] })],
    ...changes,
  };
}

function parsePush(changes: Fields): PushEvent {
  const event = parseEvent('push', push(changes));
  assert.ok(event.kind === 'push', JSON.stringify(event));
  return event;
}

function reasonOf(event: Event): string {
  assert.ok(event.kind === 'other', JSON.stringify(event));
  return event.reason;
}

function whyIncomplete(changes: Fields): string {
  const { changedPaths } = parsePush(changes);
  return changedPaths.complete ? 'complete' : changedPaths.reason;
}

test('a push to a branch has its commit, branch and the files of all its commits', () => {
  const first = commit(TAG_OBJECT, { added: ['x'], modified: ['b.ts'] });
  const last = commit(AFTER, { modified: ['b.ts'], removed: ['y'] });
  assert.deepEqual(parsePush({ commits: [first, last] }), {
    kind: 'push',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    before: BEFORE,
    sha: AFTER,
    created: false,
    deleted: false,
    forced: false,
    changedPaths: { complete: true, paths: ['x', 'b.ts', 'y'] },
  });
});

test('a deleted branch has no commit, whether `deleted` or the zeros say so', () => {
  for (const changes of [
    { after: ZERO, deleted: true, head_commit: null, commits: [] },
    { after: ZERO, deleted: false, head_commit: null, commits: [] },
    { deleted: true },
  ]) {
    const event = parsePush(changes);
    assert.equal(event.deleted, true);
    assert.equal(event.sha, undefined);
    assert.equal(event.changedPaths.complete, false);
  }
});

test('a new branch has no commit before it, and its files are not known from the payload', () => {
  for (const changes of [{ before: ZERO, created: true }, { before: ZERO }, { created: true }]) {
    const event = parsePush(changes);
    assert.equal(event.created, true);
    assert.equal(event.before, undefined);
    assert.equal(event.sha, AFTER);
    assert.equal(event.changedPaths.complete, false);
  }
});

test('an annotated tag deploys the commit it leads to, not the tag object', () => {
  const event = parsePush({ ref: 'refs/tags/v1', before: ZERO, after: TAG_OBJECT });
  assert.equal(event.tag, 'v1');
  assert.equal(event.branch, undefined);
  assert.equal(event.sha, AFTER);
});

test('a tag without head_commit keeps what it points at, and says so', () => {
  const tag = { ref: 'refs/tags/v1', before: ZERO, after: TAG_OBJECT, head_commit: null };
  assert.equal(parsePush(tag).sha, TAG_OBJECT);
  assert.match(whyIncomplete(tag), /which commit the tag leads/);
});

test('a branch whose head_commit is null deploys what the push names', () => {
  assert.equal(parsePush({ head_commit: null }).sha, AFTER);
});

test('a ref that is neither branch nor tag is a push of neither', () => {
  const event = parsePush({ ref: 'refs/notes/commits' });
  assert.deepEqual([event.branch, event.tag], [undefined, undefined]);
});

test('the listed files count as all files only when the listed commits are the whole push', () => {
  const commits = (count: number): Json[] => [
    ...Array.from({ length: count - 1 }, () => commit(TAG_OBJECT)),
    commit(AFTER),
  ];
  const files = (count: number): Json => Array.from({ length: count }, (_, index) => `f${index}`);
  assert.equal(whyIncomplete({ commits: commits(19) }), 'complete');
  assert.equal(whyIncomplete({ commits: commits(21) }), 'complete');
  assert.equal(whyIncomplete({ commits: commits(2047) }), 'complete');
  assert.equal(whyIncomplete({ commits: [commit(AFTER, { added: files(2999) })] }), 'complete');
  assert.equal(whyIncomplete({ size: 1, distinct_size: 0 }), 'complete');

  assert.match(whyIncomplete({ forced: true }), /forced/);
  assert.match(whyIncomplete({ before: null }), /before/);
  assert.match(whyIncomplete({ commits: [] }), /no commits/);
  assert.match(whyIncomplete({ commits: null }), /no commits/);
  assert.match(whyIncomplete({ commits: commits(2048) }), /2048 commits/);
  assert.match(whyIncomplete({ commits: commits(20) }), /20 commits/);
  assert.match(whyIncomplete({ size: 2 }), /1 of 2 commits/);
  assert.match(whyIncomplete({ distinct_size: 3 }), /1 of 3 commits/);
  assert.match(whyIncomplete({ commits: [commit(TAG_OBJECT)] }), /last listed commit/);
  assert.match(
    whyIncomplete({
      commits: [commit(AFTER, { added: files(1000), modified: files(1000), removed: files(1000) })],
    }),
    /3000 files/,
  );
  assert.match(whyIncomplete({ commits: [{ id: AFTER }] }), /does not list its files/);
  assert.match(whyIncomplete({ commits: [commit(AFTER, { added: [1] })] }), /does not list/);
  for (const path of ['', 'a\0b']) {
    assert.match(whyIncomplete({ commits: [commit(AFTER, { added: [path] })] }), /does not list/);
  }
  assert.match(whyIncomplete({ commits: [null, commit(AFTER)] }), /does not list/);
});

test('names that no repository, ref or commit can have are recorded with the reason', () => {
  const cases: [Fields, RegExp][] = [
    [{ ref: 'refs/heads/a\nb' }, /ref is not a usable ref: it has a character/],
    [{ ref: 'refs/heads/a\u0000' }, /ref is not a usable ref: it has a character/],
    [{ ref: 'refs/heads/a\u0085b' }, /ref is not a usable ref: it has a character/],
    [{ ref: `refs/heads/${'x'.repeat(1024)}` }, /ref is not a usable ref: it is longer than 1024/],
    [{ ref: 'refs/heads/\ud800' }, /ref is not a usable ref: it is not valid Unicode/],
    [{ ref: 'refs/heads/' }, /it has an empty part/],
    [{ ref: 'main' }, /not a whole ref/],
    [{ ref: '--upload-pack=x' }, /it starts with "-"/],
    [{ ref: 'refs/heads/; rm -rf' }, /it has a character/],
    [{ ref: 7 }, /ref is not a string/],
    [{ after: AFTER.toUpperCase() }, /after is not 40/],
    [{ after: '--help' }, /after is not 40/],
    [{ after: `${AFTER}\n` }, /after is not 40/],
    [{ before: 'abc' }, /before is not 40/],
    [{ ref: 'refs/tags/v1', head_commit: { id: 'v1' } }, /head_commit.id is not 40/],
    [{ ref: 'refs/tags/v1', head_commit: { id: ZERO } }, /head_commit.id is all zeros/],
    [{ repository: null }, /repository is not an object/],
    ...[
      'acme',
      'acme/../x',
      'acme/..',
      'acme/.',
      '../x',
      '-x/y',
      'a/b/c',
      'a b/c',
      'a/b\n',
      'a/b.git',
      'a/$(id)',
      `a/${'b'.repeat(101)}`,
      '',
    ].map((name): [Fields, RegExp] => [
      { repository: { full_name: name } },
      /repository.full_name is not "owner\/name"/,
    ]),
  ];
  for (const [changes, reason] of cases) {
    assert.match(reasonOf(parseEvent('push', push(changes))), reason);
  }
});

test('hostile but possible names are passed on untouched', () => {
  for (const name of ['x--upload-pack=touch${IFS}pwned', '$(id)', ';rm', '`id`', 'ünï/☃']) {
    assert.equal(parsePush({ ref: `refs/heads/${name}` }).branch, name);
  }
  const { repository } = parsePush({ repository: { full_name: 'Acme-1/-.shop_' } });
  assert.equal(repository, 'Acme-1/-.shop_');
});

test('a release has its tag, action and whether it is a draft; its commit is left to git', () => {
  const payload = (release: Fields): Json => ({
    action: 'published',
    repository: { full_name: 'acme/shop' },
    release: { tag_name: 'v1', draft: false, prerelease: true, ...release },
  });
  assert.deepEqual(parseEvent('release', payload({ target_commitish: 'main' })), {
    kind: 'release',
    repository: 'acme/shop',
    action: 'published',
    tag: 'v1',
    draft: false,
    prerelease: true,
    sha: undefined,
  });
  const draft = parseEvent('release', payload({ draft: true }));
  assert.equal(draft.kind === 'release' && draft.draft, true);
  assert.match(
    reasonOf(parseEvent('release', payload({ tag_name: '' }))),
    /tag_name is not a usable ref: it is empty/,
  );
});

test('a workflow run has the commit, where it came from and what started it', () => {
  const payload = (run: Fields, workflow: Json = { name: 'CI' }): Json => ({
    action: 'completed',
    repository: { full_name: 'acme/shop' },
    workflow,
    workflow_run: {
      name: 'run name',
      conclusion: 'success',
      head_branch: 'main',
      head_sha: AFTER,
      event: 'pull_request',
      head_repository: { full_name: 'mallory/shop' },
      ...run,
    },
  });
  const expected = {
    kind: 'workflow_run',
    repository: 'acme/shop',
    action: 'completed',
    workflow: 'CI',
    conclusion: 'success',
    branch: 'main',
    sha: AFTER,
    trigger: 'pull_request',
    headRepository: 'mallory/shop',
  };
  assert.deepEqual(parseEvent('workflow_run', payload({})), expected);
  assert.deepEqual(
    parseEvent(
      'workflow_run',
      payload({ conclusion: null, head_branch: null, head_repository: null }),
    ),
    { ...expected, conclusion: undefined, branch: undefined, headRepository: undefined },
  );
  assert.deepEqual(parseEvent('workflow_run', payload({}, null)), {
    ...expected,
    workflow: 'run name',
  });
  const unreadable = parseEvent(
    'workflow_run',
    payload({ head_repository: { full_name: '../x' } }),
  );
  assert.match(reasonOf(unreadable), /head_repository.full_name/);
  const nowhere = parseEvent('workflow_run', payload({ head_sha: ZERO }));
  assert.match(reasonOf(nowhere), /workflow_run.head_sha is all zeros/);
});

test('a ping needs no repository', () => {
  assert.deepEqual(parseEvent('ping', { zen: 'x' }), { kind: 'ping', repository: undefined });
  assert.deepEqual(parseEvent('ping', { repository: { full_name: 'a/b' } }), {
    kind: 'ping',
    repository: 'a/b',
  });
});

test('all other events are recorded with the reason why nothing is deployed', () => {
  const payload = { action: 'opened', repository: { full_name: 'a/b' } };
  assert.deepEqual(parseEvent('issues', payload), {
    kind: 'other',
    name: 'issues',
    action: 'opened',
    repository: 'a/b',
    reason: 'Mainsheet deploys on push, release and workflow_run',
  });
  for (const payload of [null, [], 'x', 1, true]) {
    assert.match(reasonOf(parseEvent('push', payload)), /the payload is not an object/);
  }
});

test('every example payload that GitHub users collected is read', () => {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions: { name: string; examples: Json[] }[] = JSON.parse(readFileSync(path, 'utf8'));
  const kinds: Record<string, number> = {};
  for (const { name, examples } of definitions) {
    for (const example of examples) {
      const event = parseEvent(name, example);
      kinds[event.kind] = (kinds[event.kind] ?? 0) + 1;
      const unreadable = event.kind === 'other' && event.reason.includes('cannot be read');
      assert.equal(unreadable, false, `${name}: ${JSON.stringify(event)}`);
    }
  }
  assert.deepEqual(kinds, {
    check: 2,
    installation: 9,
    other: 274,
    ping: 4,
    pull_request: 15,
    push: 7,
    release: 13,
    workflow_run: 5,
  });
});

test('a body of one event that is said to be another is refused with that reason', () => {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions: { name: string; examples: Json[] }[] = JSON.parse(readFileSync(path, 'utf8'));
  const deploying = ['push', 'release', 'workflow_run'];
  for (const { name, examples } of definitions) {
    const others = [...deploying, ...(deploying.includes(name) ? ['issues'] : [])];
    for (const other of others.filter((each) => each !== name)) {
      for (const example of examples) {
        assert.match(reasonOf(parseEvent(other, example)), /the body is (not )?that of the event/);
      }
    }
  }
  const comment = definitions.find(({ name }) => name === 'issue_comment')?.examples[0] ?? null;
  assert.equal(
    reasonOf(parseEvent('push', comment)),
    'the push payload cannot be read: the body is not that of the event push: it has no ref, before, after',
  );
  const review = { action: 'requested', workflow_run: {}, repository: {}, since: 'x' };
  assert.match(reasonOf(parseEvent('workflow_run', review)), /it has since/);
});

test('no payload makes the parser throw', () => {
  const names = fc.constantFrom('push', 'release', 'workflow_run', 'ping', 'issues');
  const json = fc.json().map((text): Json => JSON.parse(text));
  const sometimes = (value: Json) =>
    fc.oneof({ arbitrary: fc.constant<Json>(value), weight: 4 }, { arbitrary: json, weight: 1 });
  const likely = fc.record(
    {
      ref: sometimes('refs/heads/main'),
      before: sometimes(BEFORE),
      after: sometimes(AFTER),
      action: sometimes('completed'),
      repository: sometimes({ full_name: 'acme/shop' }),
      head_commit: sometimes({ id: AFTER }),
      commits: fc.oneof(json, fc.array(sometimes(commit(AFTER, { added: ['a'] })))),
      release: sometimes({ tag_name: 'v1' }),
      workflow: sometimes({ name: 'CI' }),
      workflow_run: sometimes({ head_sha: AFTER, event: 'push' }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(names, fc.oneof(json, likely), (name, payload) => {
      const event = parseEvent(name, payload);
      if (event.kind === 'push' && event.sha !== undefined) assert.match(event.sha, /^[0-9a-f]+$/);
      describePayload(name, payload);
    }),
    { numRuns: 3000 },
  );
});

test('the inbox row holds an action and a repository only where they can be GitHub’s', () => {
  const described = (action: Json, name: Json) =>
    describePayload('x', { action, repository: { full_name: name } });
  assert.deepEqual(described('opened', 'a/b'), { action: 'opened', repository: 'a/b' });
  assert.deepEqual(described('<b>', 'a/..'), { action: undefined, repository: undefined });
  assert.deepEqual(described('x'.repeat(51), 3), { action: undefined, repository: undefined });
  assert.deepEqual(describePayload('x', []), { action: undefined, repository: undefined });
});
