import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, link, lstat, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { needsRoot, STEP_USER } from '../support/root.ts';
import { createFixture } from './fixture.ts';

const run = promisify(execFile);
const TIME_LIMIT = { timeout: 300_000 };
const user = STEP_USER;

test(
  'a checkout for another user belongs to it, with all of its history, and the mirror stays ours',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { checkouts, repository, commit, git, data, root } = await createFixture(t);
    await commit({ 'README.md': 'second\n' });
    const sha = await git('rev-parse', 'HEAD');
    // As after an umask that lets no other user read: the objects have to be readable all the same.
    const before = process.umask(0o077);
    t.after(() => process.umask(before));
    const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha, user });
    process.umask(before);

    for (const path of ['', 'README.md', 'src', 'src/index.js', '.git', '.git/HEAD']) {
      const { uid, gid } = await lstat(join(directory, path));
      assert.deepEqual([uid, gid], [user.uid, user.gid], path);
    }
    await chmod(root, 0o711);
    await mkdir(data, { recursive: true });
    await chmod(data, 0o711);
    const asOwner = async (...args: string[]) =>
      (
        await run('git', args, {
          ...user,
          cwd: directory,
          env: { PATH: process.env['PATH'], HOME: '/' },
        })
      ).stdout.trim();
    assert.equal(await asOwner('rev-list', '--count', 'HEAD'), '2');
    assert.equal(await asOwner('status', '--porcelain'), '');
    await asOwner('fsck', '--full');
    await asOwner('gc', '--quiet');

    const mirrors = join(data, 'mirrors');
    for (const entry of await readdir(mirrors, { recursive: true })) {
      assert.equal((await lstat(join(mirrors, entry))).uid, 0, entry);
    }
    assert.equal((await stat(join(directory, '..', 'git'))).mode & 0o777, 0o700);
  },
);

test(
  'nothing of a checkout that belonged to another user is used again',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { checkouts, repository, git, root } = await createFixture(t);
    const sha = await git('rev-parse', 'HEAD');
    const request = { lane: 'shop', repository, sha };
    const { directory } = await checkouts.prepare({ ...request, user });
    const kept = join(root, 'kept');
    await link(join(directory, 'README.md'), kept);
    // Held open, so that nothing new gets its number.
    const old = await open(directory);
    t.after(() => old.close());
    const before = (await old.stat()).ino;

    for (const next of [{ ...request, user }, request]) {
      await checkouts.prepare(next);
      assert.notEqual((await stat(directory)).ino, before);
      assert.equal(await readFile(join(directory, 'README.md'), 'utf8'), 'first\n');
      assert.equal((await stat(join(directory, 'README.md'))).nlink, 1);
    }
    assert.equal((await stat(directory)).uid, 0, 'without a user it is ours again');
    assert.equal((await stat(kept)).uid, user.uid, 'what it has elsewhere stays its own');
  },
);
