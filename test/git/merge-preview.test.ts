import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { errorCode } from '../../src/lib/errors.ts';
import { createFixture } from './fixture.ts';

/** A pull request that the server has at its own ref alone, and a base that has moved on since. */
async function setUp(t: TestContext, files: Record<string, string>) {
  const fixture = await createFixture(t);
  const { git, commit } = fixture;
  await commit({ 'kept.txt': 'kept', 'old.txt': 'old\nold\nold\n' });
  await git('checkout', '--quiet', '-b', 'feature');
  await fixture.commit(files, 'feature');
  const head = await git('rev-parse', 'HEAD');
  await git('push', '--quiet', 'origin', 'HEAD:refs/pull/7/head', ':refs/heads/feature');
  await git('checkout', '--quiet', 'main');
  const base = await commit({ 'on-main.txt': 'later' });
  return { ...fixture, head, base };
}

test('merging brings what the pull request changes, and not what the base has since', async (t) => {
  const { mirrors, repository, base, head } = await setUp(t, { 'src/a.js': 'x' });
  const preview = await mirrors.mergePreview(repository, 'refs/heads/main', head);
  assert.deepEqual(preview, { base, paths: ['src/a.js'] });
});

test('a base that is not there, and a commit that the pull request no longer has, are said', async (t) => {
  const { mirrors, repository, head } = await setUp(t, { a: 'x' });
  const codeOf = async (base: string, sha: string) =>
    errorCode(await mirrors.mergePreview(repository, base, sha).catch((error: unknown) => error));
  assert.equal(await codeOf('refs/heads/none', head), 'ref-missing');
  assert.equal(await codeOf('refs/heads/main', 'd'.repeat(40)), 'commit-missing');
});

test('files of a commit are read as they are, but links and what is no text', async (t) => {
  const { mirrors, repository, git } = await createFixture(t);
  const hostile = '--output=x\n`$(id)`.yaml';
  const { writeFile, symlink } = await import('node:fs/promises');
  const directory = await git('rev-parse', '--show-toplevel');
  await symlink('/etc/passwd', `${directory}/link.yaml`);
  await writeFile(`${directory}/bytes.yaml`, Buffer.from([0x61, 0xff]));
  await writeFile(`${directory}/.gitattributes`, '*.yaml filter=evil text eol=crlf\n');
  await writeFile(`${directory}/${hostile}`, 'a: 1\n');
  await writeFile(`${directory}/large.yaml`, 'x'.repeat(101));
  await git('add', '--all');
  await git('commit', '--quiet', '--message=files');
  await git('push', '--quiet', 'origin', 'HEAD:refs/heads/main');
  const sha = await git('rev-parse', 'HEAD');
  const names = ['link.yaml', 'bytes.yaml', hostile, 'large.yaml', 'none.yaml'];
  const texts = await mirrors.readTexts(repository, sha, names, 100);
  assert.deepEqual(Object.fromEntries(texts), {
    'link.yaml': { problem: 'no file' },
    'bytes.yaml': { problem: 'not UTF-8' },
    [hostile]: { text: 'a: 1\n' },
    'large.yaml': { problem: 'too large' },
  });
});
