import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readIndex } from '../../src/git/exactness.ts';
import { run } from './fixture.ts';

/** A repository whose index has these files. */
async function createIndex(t: TestContext, names: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-index-'));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  const git = async (...args: string[]) => (await run('git', args, { cwd: directory })).stdout;
  await git('init', '--quiet');
  for (const name of names) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), name);
  }
  await git('add', '--all');
  const read = async () => readIndex(await readFile(join(directory, '.git', 'index')));
  return { directory, git, read };
}

test('an index is read as git lists it, whatever the length of a name', async (t) => {
  const lengths = Array.from({ length: 24 }, (_, index) => 'x'.repeat(index + 1));
  const names = [...lengths, 'a/b/c', 'a/b d/é', 'y'.repeat(200), `${'z'.repeat(200)}/0/1`];
  const { git, read } = await createIndex(t, names);
  const [link, sub] = ['120000', '160000'].map((mode) => `${mode},${'1'.repeat(40)}`);
  await git('update-index', '--add', '--cacheinfo', `${link},link`);
  await git('update-index', '--add', '--cacheinfo', `${sub},modules/sub`);
  const known = await read();
  const listed = (await git('ls-files', '-z')).split('\0').slice(0, -1);
  const named = (kind: string) =>
    [...(known ?? [])]
      .filter(([, is]) => is === kind)
      .map(([name]) => Buffer.from(name, 'latin1').toString());
  assert.deepEqual(named('submodule'), ['modules/sub']);
  assert.deepEqual([...named('file'), 'modules/sub'].sort(), listed.sort());
  assert.deepEqual(
    named('directory').sort(),
    ['a', 'a/b', 'a/b d', 'modules', 'z'.repeat(200), `${'z'.repeat(200)}/0`].sort(),
  );
});

const HIDING: Record<string, string[]> = {
  'a file that git was told to skip': ['--skip-worktree', 'b'],
  'a file that git was told to believe unchanged': ['--assume-unchanged', 'b'],
  'another version': ['--index-version', '4'],
};

test('an index that could hide something is not read', async (t) => {
  for (const [name, args] of Object.entries(HIDING)) {
    const { git, read } = await createIndex(t, ['a', 'b']);
    assert.equal((await read())?.size, 2);
    await git('update-index', ...args);
    assert.equal(await read(), undefined, name);
  }
});

test('an index that is cut off, empty or garbage is not read', async (t) => {
  const { directory } = await createIndex(t, ['a', 'b']);
  // A header and two entries of 64 bytes.
  const index = await readFile(join(directory, '.git', 'index'));
  for (let length = 0; length < 12 + 64 + 64; length += 1) {
    assert.equal(readIndex(index.subarray(0, length)), undefined, String(length));
  }
  assert.equal(readIndex(Buffer.alloc(200, 'garbage')), undefined);
});
