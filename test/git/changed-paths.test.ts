import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFixture } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };
const ALL = ['README.md', 'src/index.js'];

test(
  'added, changed, removed and moved files are named, the moved one twice',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const before = await commit({ 'old.txt': 'moved\n', 'gone.txt': 'x', 'same.txt': 'y' });
    await git('mv', 'old.txt', 'new.txt');
    const after = await commit({ 'README.md': 'second\n', 'gone.txt': undefined });
    assert.deepEqual(await mirrors.changedPaths(repository, before, after), [
      'README.md',
      'gone.txt',
      'new.txt',
      'old.txt',
    ]);
    assert.deepEqual(await mirrors.changedPaths(repository, after, after), []);
  },
);

test('names keep their line breaks, quotes, spaces and letters', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  const before = await git('rev-parse', 'HEAD');
  const names = ['a\nb', 'q"uote', "it's", 'sp ace', 'tab\there', '-rf', 'ü/é', '$(id)', 'x\\y'];
  const after = await commit(Object.fromEntries(names.map((name) => [name, 'x'])));
  assert.deepEqual(new Set(await mirrors.changedPaths(repository, before, after)), new Set(names));
});

test('a push of several commits has the files of all', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  const before = await git('rev-parse', 'HEAD');
  await commit({ a: '1' });
  const after = await commit({ b: '2' });
  assert.deepEqual(await mirrors.changedPaths(repository, before, after), ['a', 'b']);
});

test('a new branch is compared with where it left the default branch', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  await git('checkout', '--quiet', '-b', 'topic');
  const after = await commit({ 'topic.txt': '1' }, 'topic');
  await git('checkout', '--quiet', 'main');
  const main = await commit({ 'main.txt': '1' });
  const options = { ref: 'refs/heads/topic' };
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, after), ['topic.txt']);
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, after, options), [
    'topic.txt',
  ]);
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, main, options), []);
});

test(
  'a new branch at a commit that another branch has changed nothing, whatever the mirror knew',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const options = { ref: 'refs/heads/release/1' };
    await git('checkout', '--quiet', '-b', 'topic');
    const after = await commit({ 'topic.txt': '1' }, 'topic');
    await mirrors.fetch(repository);
    await git('push', '--quiet', 'origin', `${after}:refs/heads/main`, ':topic');
    await git('push', '--quiet', 'origin', `${after}:refs/heads/release/1`);
    assert.deepEqual(await mirrors.changedPaths(repository, undefined, after, options), []);

    const develop = await commit({ 'develop.txt': '1' }, 'develop');
    await git('push', '--quiet', 'origin', `${develop}:refs/heads/release/2`);
    const second = { ref: 'refs/heads/release/2' };
    assert.deepEqual(await mirrors.changedPaths(repository, undefined, develop, second), []);
  },
);

test('in a new default branch every file has changed', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git } = await createFixture(t);
  const after = await git('rev-parse', 'HEAD');
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, after), ALL);
  await git('push', '--quiet', 'origin', 'HEAD:refs/heads/topic');
  await mirrors.fetch(repository);
  const options = { ref: 'refs/heads/main' };
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, after, options), ALL);
});

test('in a branch without a common past every file has changed', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  await git('checkout', '--quiet', '--orphan', 'pages');
  const after = await commit({ 'pages.html': '1' }, 'pages');
  assert.deepEqual(
    await mirrors.changedPaths(repository, undefined, after),
    [...ALL, 'pages.html'].sort(),
  );
});

test('the default branch is the one that the server names', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, serverGit, commit } = await createFixture(t);
  await commit({ 'develop.txt': '1' }, 'develop');
  const after = await commit({ 'topic.txt': '1' }, 'topic');
  await serverGit('symbolic-ref', 'HEAD', 'refs/heads/develop');
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, after), ['topic.txt']);

  await serverGit('symbolic-ref', 'HEAD', 'refs/heads/main');
  await git('push', '--quiet', 'origin', ':develop');
  await mirrors.fetch(repository);
  const names = await mirrors.changedPaths(repository, undefined, after);
  assert.deepEqual(
    names,
    ['develop.txt', 'topic.txt'],
    'a new one is noticed when the old one goes',
  );
});

test(
  'after a forced push the two states are compared, as long as the former is to be had',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const before = await commit({ 'lost.txt': '1' });
    await git('reset', '--quiet', '--hard', 'HEAD~1');
    const after = await commit({ 'kept.txt': '1' });
    assert.deepEqual(await mirrors.changedPaths(repository, before, after), [
      'kept.txt',
      'lost.txt',
    ]);
  },
);

test(
  'when the former commit is gone, nothing that may have changed is left out',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, serverGit, commit } = await createFixture(t);
    const main = await git('rev-parse', 'HEAD');
    await git('checkout', '--quiet', '-b', 'topic');
    const gone = await commit({ 'lost.txt': '1' }, 'topic');
    await git('reset', '--quiet', '--hard', 'main');
    const after = await commit({ 'kept.txt': '1' }, 'topic');
    await serverGit('gc', '--quiet', '--prune=now');
    assert.deepEqual(await mirrors.changedPaths(repository, gone, after), ['kept.txt']);
    // Forced back onto the default branch: what was lost is not known.
    assert.deepEqual(await mirrors.changedPaths(repository, gone, main), ALL);
  },
);

test('more names than the limit are an answer of its own', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t, { limits: { maxPaths: 3 } });
  const before = await git('rev-parse', 'HEAD');
  const three = await commit({ a: '1', b: '1', c: '1' });
  const four = await commit({ d: '1' });
  assert.equal((await mirrors.changedPaths(repository, before, three)).length, 3);
  await assert.rejects(mirrors.changedPaths(repository, before, four), {
    name: 'TerminalError',
    code: 'too-many-changes',
  });
});

test('output beyond the limit stops git and is an answer of its own', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t, {
    limits: { maxBytes: 1000 },
  });
  const before = await git('rev-parse', 'HEAD');
  const files = Array.from({ length: 200 }, (_, index) => [`file-${index}`, 'x'] as const);
  const after = await commit(Object.fromEntries(files));
  await assert.rejects(mirrors.changedPaths(repository, before, after), { code: 'git-too-large' });
});
