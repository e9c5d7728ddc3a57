import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFixture, type Fixture } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };

/** What git has been told to do since the last time it was asked, by the first word. */
async function calls({ root }: Fixture): Promise<string[]> {
  const log = join(root, 'calls');
  const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean);
  await writeFile(log, '');
  return lines;
}

/** A git that notes what it is told, in front of the real one. */
async function noteCalls({ root, environment }: Fixture): Promise<void> {
  const git = join(root, 'git');
  const real = String(process.env['PATH']);
  await writeFile(join(root, 'calls'), '');
  await writeFile(
    git,
    `#!/bin/sh\necho "$1" >> '${root}/calls'\nPATH='${real}'\nexport PATH\nexec git "$@"\n`,
  );
  await chmod(git, 0o755);
  environment['PATH'] = `${root}:${real}`;
}

test(
  'a warm run starts five gits at most: nothing is asked twice, and nothing of the server but in the fetch',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { repository, commit } = fixture;
    await noteCalls(fixture);
    // The fixture's own were made before.
    const { mirrors, checkouts } = fixture.restart();
    const ref = 'refs/heads/main';
    const run = async (sha: string, deployed: string) => {
      assert.deepEqual(await mirrors.standing(repository, ref, sha), { head: sha, reached: true });
      const [late, later] = [
        await mirrors.isAncestor(repository, sha, deployed),
        await mirrors.isAncestor(repository, deployed, sha),
      ];
      assert.deepEqual([late, later], [false, true]);
      return await checkouts.prepare({ lane: 'shop', repository, sha });
    };
    const first = await commit({ 'a.txt': '1' });
    await mirrors.standing(repository, ref, first);
    const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha: first });
    const second = await commit({ 'a.txt': '2' });
    await calls(fixture);
    await run(second, first);
    assert.deepEqual(await calls(fixture), ['fetch', 'merge-base', 'checkout', 'status']);

    const third = await commit({ 'a.txt': '3' });
    await writeFile(join(directory, 'built'), '');
    await run(third, second);
    assert.deepEqual(await calls(fixture), ['fetch', 'merge-base', 'checkout', 'status', 'clean']);

    await mirrors.ensureCommit(repository, first);
    await checkouts.prepare({ lane: 'shop', repository, sha: first });
    assert.deepEqual(await calls(fixture), ['checkout', 'status']);
  },
);

test(
  'a mirror whose objects were taken away after they were seen is made again by the run that needs them',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, checkouts, repository, commit } = await createFixture(t);
    const [first, second] = [await commit({ 'a.txt': '1' }), await commit({ 'a.txt': '2' })];
    const takeAway = async () => {
      await mirrors.ensureCommit(repository, first);
      await mirrors.ensureCommit(repository, second);
      const packs = join(mirrors.directoryOf(repository), 'objects', 'pack');
      for (const name of await readdir(packs)) await rm(join(packs, name));
    };
    await takeAway();
    const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha: first });
    assert.equal(await readFile(join(directory, 'a.txt'), 'utf8'), '1');
    await takeAway();
    assert.equal(await mirrors.isAncestor(repository, first, second), true);
    await takeAway();
    assert.equal((await mirrors.commit(repository, second)).message, 'change');
  },
);

test(
  'a ref is where the server has it, whatever else has been at its name',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const standing = async (ref: string, sha: string) =>
      await mirrors.standing(repository, ref, sha);
    const main = 'refs/heads/main';
    const first = await git('rev-parse', 'HEAD');
    const second = await commit({ 'a.txt': '1' });
    assert.deepEqual(await standing(main, second), { head: second, reached: true });
    assert.deepEqual(await standing(main, first), { head: second, reached: true });
    const unknown = 'f'.repeat(40);
    assert.deepEqual(await standing(main, unknown), { head: second, reached: false });

    await git('push', '--quiet', '--force', 'origin', `${first}:${main}`);
    assert.deepEqual(await standing(main, second), { head: first, reached: false });
    await git('push', '--quiet', 'origin', `${first}:refs/heads/topic`);
    assert.deepEqual(await standing('refs/heads/topic', first), { head: first, reached: true });
    await git('push', '--quiet', 'origin', ':topic', `${second}:refs/heads/topic/one`);
    const gone = { head: undefined, reached: false };
    assert.deepEqual(await standing('refs/heads/topic', first), gone);
    assert.deepEqual(await standing('refs/heads/topic/one', second), {
      head: second,
      reached: true,
    });

    await git('tag', '--annotate', '--message=x', 'v1', first);
    await git('push', '--quiet', 'origin', 'v1');
    assert.deepEqual(await standing('refs/tags/v1', first), { head: first, reached: true });
    assert.deepEqual(await standing('refs/tags/v1', second), { head: first, reached: false });
    assert.deepEqual(await standing('refs/tags/v2', first), gone);
    await assert.rejects(standing('main', first), { code: 'invalid-ref' });
    assert.deepEqual(await standing('refs/heads/../../HEAD', first), gone);
  },
);

test(
  'what a step put among the refs of a mirror is neither followed nor passed on',
  TIME_LIMIT,
  async (t) => {
    const { root, mirrors, checkouts, repository, git } = await createFixture(t);
    const sha = await git('rev-parse', 'HEAD');
    await mirrors.fetch(repository);
    const heads = join(mirrors.directoryOf(repository), 'refs', 'heads');
    const outside = join(root, 'outside');
    await writeFile(outside, `${sha}\n`);
    await symlink(outside, join(heads, 'link'));
    await symlink(root, join(heads, 'directory'));
    await writeFile(join(heads, 'garbage'), 'garbage\n');
    await writeFile(join(heads, `x\n${sha} refs`), `${sha}\n`);
    const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha });
    assert.equal(
      await readFile(join(directory, '.git', 'packed-refs'), 'utf8'),
      `${sha} refs/remotes/origin/main\n`,
    );
  },
);
