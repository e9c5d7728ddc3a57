import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFixture } from './fixture.ts';

test('a revision is a branch, a tag or a commit that one of them leads to, by its digits', async (t) => {
  const { mirrors, repository, commit, git } = await createFixture(t);
  const first = await commit({ a: '1' });
  await git('tag', '-a', '-m', 'one', 'v1');
  await git('push', '--quiet', 'origin', 'v1');
  const second = await commit({ a: '2' });
  const find = (name: string, prefer?: string) =>
    mirrors.findRevision(repository, name, { prefer });
  const head = { sha: second, ref: 'refs/heads/main' };
  assert.deepEqual(await find('main'), head);
  assert.deepEqual(await find('refs/heads/main'), head);
  assert.deepEqual(await find(second), head);
  assert.deepEqual(await find(second.slice(0, 7)), head);
  const tagged = { sha: first, ref: 'refs/tags/v1' };
  assert.deepEqual(await find('v1'), tagged, 'the commit, not the tag object');
  assert.deepEqual(await find(first), { sha: first, ref: 'refs/heads/main' });
  assert.deepEqual(await find(first, 'refs/tags/v1'), tagged);
  for (const unknown of [
    'gone',
    'deadbeef',
    'f'.repeat(40),
    'refs/heads/v1',
    'ma',
    first.slice(0, 6),
  ]) {
    await assert.rejects(find(unknown), { code: 'revision-unknown' }, unknown);
  }
  for (const hostile of ['--all', 'main~1', 'main^{tree}', '@', ':a', '', 'a b']) {
    await assert.rejects(find(hostile), { code: 'invalid-ref' }, hostile);
  }
});

test('what only a pull request or a fork has is no revision of the repository', async (t) => {
  const { mirrors, repository, commit, git, serverGit } = await createFixture(t);
  await commit({ a: '1' });
  const forked = await commit({ a: 'forged' }, 'fork');
  await serverGit('update-ref', 'refs/pull/9/head', forked);
  await git('push', '--quiet', 'origin', ':fork');
  for (const name of [forked, forked.slice(0, 10)]) {
    await assert.rejects(mirrors.findRevision(repository, name), { code: 'revision-unknown' });
  }
  // Also when the mirror happens to have it, because something else has asked for it.
  await mirrors.ensureCommit(repository, forked);
  await assert.rejects(mirrors.findRevision(repository, forked), {
    code: 'revision-unknown',
    message: /no branch or tag/,
  });
});

test('a name that is both a branch and a tag, at different commits, has to be written out', async (t) => {
  const { mirrors, repository, commit, git } = await createFixture(t);
  const first = await commit({ a: '1' });
  await git('tag', 'live', first);
  await git('push', '--quiet', 'origin', 'refs/tags/live');
  const second = await commit({ a: '2' }, 'live');
  await assert.rejects(mirrors.findRevision(repository, 'live'), {
    code: 'revision-ambiguous',
    hint: /refs\/heads\/live or refs\/tags\/live/,
  });
  assert.equal((await mirrors.findRevision(repository, 'refs/heads/live')).sha, second);
  assert.equal((await mirrors.findRevision(repository, 'refs/tags/live')).sha, first);
});

test('a branch that is called as a commit by its digits is not taken for it', async (t) => {
  const { mirrors, repository, commit } = await createFixture(t);
  const meant = await commit({ a: '1' });
  const digits = meant.slice(0, 7);
  const other = await commit({ a: 'other' }, digits);
  const find = async (name: string) => (await mirrors.findRevision(repository, name)).sha;
  await assert.rejects(find(digits), {
    code: 'revision-ambiguous',
    hint: `write refs/heads/${digits}, or more digits of the commit`,
  });
  assert.equal(await find(meant.slice(0, 8)), meant);
  assert.equal(await find(`refs/heads/${digits}`), other);
  const alone = await commit({ a: 'alone' }, 'deadbeef');
  assert.equal(await find('deadbeef'), alone);
});
