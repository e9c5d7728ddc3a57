import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFixture } from './fixture.ts';

// As root nothing is read-only, so root becomes another user for this file, which has a process of its own.
const NOBODY = 65_534;
if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

const LEFTOVERS: Record<string, (directory: string) => Promise<unknown>> = {
  'a read-only directory with something in it': async (directory) => {
    await mkdir(join(directory, 'new', 'deep'), { recursive: true });
    await writeFile(join(directory, 'new', 'deep', 'x'), '');
    await chmod(join(directory, 'new', 'deep'), 0o500);
    await chmod(join(directory, 'new'), 0);
  },
  'a read-only directory of the commit': async (directory) => {
    await chmod(join(directory, 'src'), 0o500);
  },
  'an unreadable file of the commit': async (directory) => {
    await chmod(join(directory, 'README.md'), 0);
  },
  'a read-only work tree': async (directory) => await chmod(directory, 0o500),
  'a read-only directory above': async (directory) => await chmod(join(directory, '..'), 0o500),
  "a read-only directory of the lane's": async (directory) =>
    await chmod(join(directory, '..', '..'), 0),
  'a read-only git directory of ours': async (directory) =>
    await chmod(join(directory, '..', 'git'), 0o500),
};

for (const [name, leave] of Object.entries(LEFTOVERS)) {
  test(
    `without root, a checkout is exact again after: ${name}`,
    { timeout: 300_000 },
    async (t) => {
      const { checkouts, repository, git, commit, data } = await createFixture(t);
      const first = await git('rev-parse', 'HEAD');
      const second = await commit({ 'README.md': 'second\n', 'src/index.js': 'two\n' });
      const request = { lane: 'shop', repository };
      const { directory } = await checkouts.prepare({ ...request, sha: first });
      await leave(directory);
      await checkouts.prepare({ ...request, sha: second });
      assert.deepEqual((await readdir(directory)).sort(), ['.git', 'README.md', 'src']);
      assert.deepEqual((await readdir(join(data, 'work'))).length, 1, 'nothing is left over');
    },
  );
}
