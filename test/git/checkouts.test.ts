import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { authorEnvironment, createFixture, run, type Fixture } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };

/** All files and directories of a checkout but its `.git`, sorted. */
async function contents(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name !== '.git' && !name.startsWith('.git/')).sort();
}

const FIRST = ['README.md', 'src', 'src/index.js'];

/** What is in the steps' own `.git`, and nothing else. */
const GIT = ['HEAD', 'config', 'index', 'info', 'objects', 'packed-refs', 'refs'];

async function prepareFirst(fixture: Fixture) {
  const sha = await fixture.git('rev-parse', 'HEAD');
  const request = { lane: 'shop', repository: fixture.repository, sha };
  return { request, ...(await fixture.checkouts.prepare(request)) };
}

test('a checkout that is wanted back stands as steps have left it', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { request, directory, name } = await prepareFirst(fixture);
  await writeFile(join(directory, 'built'), 'by a step');
  const { checkouts } = fixture.restart();
  const again = await checkouts.prepare({ ...request, keep: name });
  assert.deepEqual(again, { directory, sha: request.sha, name, kept: true });
  assert.equal(await readFile(join(directory, 'built'), 'utf8'), 'by a step');
});

const NOT_THAT_ONE: [string, (directory: string, fixture: Fixture) => Promise<unknown>][] = [
  [
    'another run has used it meanwhile',
    async (_, fixture) => {
      await prepareFirst(fixture);
    },
  ],
  ['it is gone', (directory) => rm(join(directory, '..'), { recursive: true })],
  ['its tree is gone', (directory) => rm(directory, { recursive: true })],
  [
    'a step has put a pipe where its name was',
    async (directory) => {
      await rm(join(directory, '..', 'name'));
      await run('mkfifo', [join(directory, '..', 'name')]);
    },
  ],
  [
    'the machine has started again',
    async (directory) => {
      const file = join(directory, '..', 'name');
      await writeFile(file, (await readFile(file, 'utf8')).replace(/@.*/, '@another start'));
    },
  ],
];
for (const [why, change] of NOT_THAT_ONE) {
  test(`a checkout that is wanted back is made again when ${why}`, TIME_LIMIT, async (t) => {
    const fixture = await createFixture(t);
    const { request, directory, name } = await prepareFirst(fixture);
    await writeFile(join(directory, 'built'), 'by a step');
    await change(directory, fixture);
    const keep = why.startsWith('the machine') ? name.replace(/@.*/, '@another start') : name;
    const again = await fixture.checkouts.prepare({ ...request, keep });
    assert.equal(again.kept, false);
    assert.notEqual(again.name, name);
    assert.deepEqual(await contents(directory), FIRST);
  });
}

test('a checkout has exactly the files of its commit, forward and back', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { checkouts, repository, commit } = fixture;
  const { directory, sha: first } = await prepareFirst(fixture);
  assert.deepEqual(await contents(directory), FIRST);
  const changes = { 'README.md': 'second\n', 'src/index.js': undefined, 'lib/a/b.js': 'new\n' };
  const second = await commit(changes);
  const request = { lane: 'shop', repository };

  assert.partialDeepStrictEqual(await checkouts.prepare({ ...request, sha: second }), {
    directory,
    sha: second,
    kept: false,
  });
  assert.deepEqual(await contents(directory), ['README.md', 'lib', 'lib/a', 'lib/a/b.js']);
  assert.equal(await readFile(join(directory, 'README.md'), 'utf8'), 'second\n');
  await checkouts.prepare({ ...request, sha: first });
  assert.deepEqual(await contents(directory), FIRST);
  assert.equal(await readFile(join(directory, 'README.md'), 'utf8'), 'first\n');
});

test(
  'the same work tree is used again, and untouched files stay as they are',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { directory } = await prepareFirst(fixture);
    const before = await stat(join(directory, 'src', 'index.js'));
    const sha = await fixture.commit({ 'README.md': 'second\n' });
    await fixture.checkouts.prepare({ lane: 'shop', repository: fixture.repository, sha });
    const after = await stat(join(directory, 'src', 'index.js'));
    assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
  },
);

test('steps can ask git in their checkout', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { git, checkouts, repository, commit } = fixture;
  await git('tag', 'v1');
  await git('push', '--quiet', 'origin', 'v1');
  const sha = await commit({ 'a.txt': '1' });
  const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha });
  const step = async (...args: string[]) =>
    (await run('git', args, { cwd: join(directory, 'src') })).stdout.trim();
  assert.equal(await step('rev-parse', 'HEAD'), sha);
  assert.equal((await step('log', '--oneline')).split('\n').length, 2);
  assert.match(await step('describe', '--tags'), /^v1-1-g/);
  assert.equal(await step('rev-parse', 'origin/main'), sha);
  assert.equal(await step('status', '--porcelain', '--ignored'), '');
});

/** What steps leave behind; afterwards the checkout has to be exact again. */
const LEFTOVERS: Record<string, (directory: string, fixture: Fixture) => Promise<unknown>> = {
  'new files, ignored files and empty directories': async (directory) => {
    await writeFile(join(directory, '.gitignore'), 'node_modules\n');
    await mkdir(join(directory, 'node_modules', 'deep', 'er'), { recursive: true });
    await writeFile(join(directory, 'node_modules', 'x'), '');
    await mkdir(join(directory, 'empty'));
  },
  'a repository in a new directory': async (directory) => {
    await run('git', ['init', '--quiet', 'nested'], { cwd: directory });
  },
  'a repository in a directory of the commit': async (directory) => {
    await run('git', ['init', '--quiet', 'src'], { cwd: directory });
  },
  'changed and removed files': async (directory) => {
    await writeFile(join(directory, 'README.md'), 'changed');
    await rm(join(directory, 'src'), { recursive: true });
  },
  'a file changed behind the back of the index': async (directory) => {
    const path = join(directory, 'README.md');
    const { atime, mtime } = await stat(path);
    await writeFile(path, 'FIRST\n');
    await utimes(path, atime, mtime);
  },
  'changes hidden in the index': async (directory) => {
    await run('git', ['update-index', '--skip-worktree', 'README.md'], { cwd: directory });
    await run('git', ['update-index', '--assume-unchanged', 'src/index.js'], { cwd: directory });
    await writeFile(join(directory, 'README.md'), 'changed');
    await writeFile(join(directory, 'src', 'index.js'), 'changed');
  },
  'another commit and another branch': async (directory) => {
    const options = ['-c', 'user.name=x', '-c', 'user.email=x@example.test'];
    await run('git', ['checkout', '--quiet', '-b', 'x'], { cwd: directory });
    const commit = ['commit', '--quiet', '--allow-empty', '-m', 'x'];
    await run('git', [...options, ...commit], { cwd: directory });
  },
  'executable and unreadable files': async (directory) => {
    await chmod(join(directory, 'README.md'), 0o755);
    await chmod(join(directory, 'src', 'index.js'), 0);
  },
  'a directory where a file was, and the other way round': async (directory) => {
    await rm(join(directory, 'README.md'));
    await mkdir(join(directory, 'README.md', 'x'), { recursive: true });
    await rm(join(directory, 'src'), { recursive: true });
    await writeFile(join(directory, 'src'), '');
  },
  'a read-only directory': async (directory) => {
    await writeFile(join(directory, 'src', 'new'), '');
    await chmod(join(directory, 'src'), 0o500);
  },
  'a read-only work tree': async (directory) => await chmod(directory, 0o500),
  'no .git': async (directory) => await rm(join(directory, '.git'), { recursive: true }),
  'a corrupt .git': async (directory) => {
    await writeFile(join(directory, '.git', 'HEAD'), 'garbage');
    await writeFile(join(directory, '.git', 'index'), 'garbage');
    await writeFile(join(directory, '.git', 'config'), '[garbage');
    await writeFile(join(directory, '.git', 'index.lock'), '');
  },
  'a file as .git': async (directory) => {
    await rm(join(directory, '.git'), { recursive: true });
    await writeFile(join(directory, '.git'), 'gitdir: /nonexistent');
  },
  'a link to elsewhere as .git': async (directory, { root }) => {
    await writeFile(join(directory, '.git', 'index.lock'), '');
    await rename(join(directory, '.git'), join(root, 'outside', 'git'));
    await symlink(join(root, 'outside', 'git'), join(directory, '.git'));
  },
  'no work tree': async (directory) => await rm(directory, { recursive: true }),
  'a link to elsewhere as the work tree': async (directory, { root }) => {
    await rm(directory, { recursive: true });
    await symlink(join(root, 'outside'), directory);
  },
  'a link to elsewhere as the directory above': async (directory, { root }) => {
    await rm(dirname(directory), { recursive: true });
    await symlink(join(root, 'outside'), dirname(directory));
  },
  "a link to elsewhere as the lane's directory": async (directory, { root }) => {
    await rm(dirname(dirname(directory)), { recursive: true });
    await symlink(join(root, 'outside'), dirname(dirname(directory)));
  },
  'a file as the work tree': async (directory) => {
    await rm(directory, { recursive: true });
    await writeFile(directory, '');
  },
  'our index locked': async (directory) => {
    await writeFile(join(directory, '..', 'git', 'index.lock'), '');
  },
  'our index corrupt': async (directory) => {
    await writeFile(join(directory, '..', 'git', 'index'), 'garbage');
  },
  'our HEAD corrupt': async (directory) => {
    await writeFile(join(directory, '..', 'git', 'HEAD'), 'garbage');
  },
  'our HEAD on a commit that is gone': async (directory) => {
    await writeFile(join(directory, '..', 'git', 'HEAD'), 'f'.repeat(40));
  },
  'our configuration corrupt': async (directory) => {
    await writeFile(join(directory, '..', 'git', 'config'), '[garbage');
  },
  'links to elsewhere inside our git directory': async (directory, { root }) => {
    const info = join(directory, '..', 'git', 'info');
    await rm(info, { recursive: true });
    await symlink(join(root, 'outside'), info);
  },
  'changes hidden in our index': async (directory) => {
    const env = { ...authorEnvironment(), GIT_DIR: join(directory, '..', 'git') };
    await run('git', ['update-index', '--skip-worktree', 'README.md'], { cwd: directory, env });
    await run('git', ['update-index', '--assume-unchanged', 'src/index.js'], {
      cwd: directory,
      env,
    });
    await writeFile(join(directory, 'README.md'), 'changed');
    await writeFile(join(directory, 'src', 'index.js'), 'changed');
  },
  'a link to elsewhere where its own .git is moved to': async (directory, { root }) => {
    await symlink(join(root, 'outside'), join(directory, '..', 'old'));
  },
  'our git directory gone': async (directory) => {
    await rm(join(directory, '..', 'git'), { recursive: true });
  },
  'a link to elsewhere as our git directory': async (directory, { root }) => {
    await rename(join(directory, '..', 'git'), join(root, 'outside', 'git'));
    await symlink(join(root, 'outside', 'git'), join(directory, '..', 'git'));
  },
};

for (const [name, leave] of Object.entries(LEFTOVERS)) {
  test(`a checkout is exact again after a step left: ${name}`, TIME_LIMIT, async (t) => {
    const fixture = await createFixture(t);
    await mkdir(join(fixture.root, 'outside'));
    await writeFile(join(fixture.root, 'outside', 'README.md'), 'canary');
    const { request, directory } = await prepareFirst(fixture);
    await leave(directory, fixture);
    await fixture.checkouts.prepare(request);

    assert.deepEqual(await contents(directory), FIRST);
    assert.equal(await readFile(join(directory, 'README.md'), 'utf8'), 'first\n');
    assert.equal(await readFile(join(directory, 'src', 'index.js'), 'utf8'), 'one\n');
    assert.equal((await lstat(join(directory, 'README.md'))).mode & 0o111, 0);
    const { stdout } = await run('git', ['rev-parse', 'HEAD'], { cwd: directory });
    assert.equal(stdout.trim(), request.sha);
    assert.deepEqual((await readdir(join(directory, '.git'))).sort(), GIT);
    assert.deepEqual((await readdir(dirname(directory))).sort(), ['git', 'name', 'tree']);
    const outside = join(fixture.root, 'outside');
    assert.equal(await readFile(join(outside, 'README.md'), 'utf8'), 'canary');
    assert.deepEqual(
      (await readdir(outside)).filter((file) => file !== 'git'),
      ['README.md'],
    );
    assert.equal((await readdir(join(fixture.data, 'work'))).length, 1, 'nothing is left over');
  });
}

/** What git reads in a git directory beside what we put there. */
const FOREIGN = [
  'commondir',
  'config.worktree',
  'hooks/post-checkout',
  'logs/HEAD',
  'modules/x/config',
  'worktrees/x/gitdir',
  'shallow',
  'sharedindex.0123456789abcdef0123456789abcdef01234567',
  'MERGE_HEAD',
  'rebase-merge/done',
  'sequencer/todo',
  'info/grafts',
  'info/exclude',
  'info/sparse-checkout',
  'objects/info/http-alternates',
  'objects/info/commit-graph',
];

test(
  'what a step left in our git directories is gone before git reads them',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { root, mirrors, repository, checkouts } = fixture;
    const { request, directory } = await prepareFirst(fixture);
    const mirror = mirrors.directoryOf(repository);
    const elsewhere = join(root, 'elsewhere');
    await run('git', ['init', '--quiet', '--bare', elsewhere]);
    const plant = async (git: string, names: readonly string[]) => {
      for (const name of names) {
        await mkdir(dirname(join(git, name)), { recursive: true });
        await writeFile(join(git, name), name === 'commondir' ? elsewhere : '');
      }
    };
    const left = async (git: string, names: readonly string[]) => {
      const there = await readdir(git, { recursive: true });
      return there.filter((name) => names.includes(name));
    };
    const inMirror = [...FOREIGN, 'info/attributes', 'objects/info/alternates'];
    const inTree = [...FOREIGN, 'packed-refs'];

    await plant(mirror, inMirror);
    await plant(join(directory, '..', 'git'), inTree);
    await checkouts.prepare(request);
    assert.deepEqual(await left(mirror, inMirror), []);
    assert.deepEqual(await left(join(directory, '..', 'git'), inTree), []);

    await plant(mirror, inMirror);
    const next = await fixture.commit({ 'README.md': 'second\n' });
    await mirrors.fetch(repository);
    assert.deepEqual(await left(mirror, inMirror), []);
    assert.equal(await mirrors.isAncestor(repository, request.sha, next), true);
  },
);

test('what is left in a submodule is removed, whatever it is', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { git, checkouts, repository } = fixture;
  await git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
  await git('commit', '--quiet', '--message=submodule');
  await mkdir(join(fixture.root, 'author', 'sub'));
  await git('push', '--quiet', 'origin', 'HEAD:main');
  const sha = await git('rev-parse', 'HEAD');
  const request = { lane: 'shop', repository, sha };
  const { directory } = await checkouts.prepare(request);
  assert.deepEqual(await readdir(join(directory, 'sub')), []);
  await writeFile(join(directory, 'sub', 'left'), '');
  await checkouts.prepare(request);
  assert.deepEqual(await readdir(join(directory, 'sub')), []);
  await run('git', ['init', '--quiet', 'sub'], { cwd: directory });
  await checkouts.prepare(request);
  assert.deepEqual(await readdir(join(directory, 'sub')), []);
});

test('files are the bytes of the commit, whatever its attributes say', TIME_LIMIT, async (t) => {
  const { checkouts, repository, root, commit } = await createFixture(t);
  // The author's git is not to change them either.
  const own = join(root, 'author', '.git', 'info', 'attributes');
  await writeFile(own, '* -text -ident\n');
  const files = { 'unix.txt': 'a\nb\n', 'dos.txt': 'a\r\nb\r\n', 'id.txt': '$Id$\n' };
  await commit(files);
  const attributes = '*.txt text eol=crlf ident\n';
  const sha = await commit({ '.gitattributes': attributes });
  const request = { lane: 'shop', repository, sha };
  for (let round = 0; round < 2; round += 1) {
    const { directory } = await checkouts.prepare(request);
    for (const [name, content] of Object.entries(files)) {
      assert.equal(await readFile(join(directory, name), 'utf8'), content);
    }
    const { stdout } = await run('git', ['status', '--porcelain'], { cwd: directory });
    assert.equal(stdout, '');
  }
});

test('names that are not Unicode are checked out and verified', TIME_LIMIT, async (t) => {
  const { checkouts, repository, root, commit } = await createFixture(t);
  const odd = Buffer.concat([Buffer.from(join(root, 'author', 'd')), Buffer.from([0xff])]);
  await mkdir(odd);
  await writeFile(Buffer.concat([odd, Buffer.from('/'), Buffer.from([0xfe])]), 'x');
  const sha = await commit({});
  const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha });
  const names = await readdir(directory, { encoding: 'buffer' });
  assert.ok(names.some((name) => name.equals(Buffer.from([0x64, 0xff]))));
});

test(
  'lanes have work trees of their own, and a lane one for each repository',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { checkouts, repository, serverGit, git } = fixture;
    await serverGit('clone', '--quiet', '--bare', '.', '../hub.git');
    const sha = await git('rev-parse', 'HEAD');
    const prepare = async (lane: string, name: string) =>
      (await checkouts.prepare({ lane, repository: name, sha })).directory;
    const directories = await Promise.all([
      prepare('a b', repository),
      prepare('a-b', repository),
      prepare('../../outside', repository),
      prepare('a b', 'acme/hub'),
    ]);
    assert.equal(new Set(directories).size, 4);
    for (const directory of directories) {
      assert.ok(directory.startsWith(join(fixture.data, 'work')));
      assert.deepEqual(await contents(directory), FIRST);
    }
  },
);

test('two preparations of one lane do not meet', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { checkouts, repository, commit, git } = fixture;
  const first = await git('rev-parse', 'HEAD');
  const second = await commit({ 'a.txt': '1' });
  const shas = [first, second, first, second];
  const prepared = await Promise.all(
    shas.map(async (sha) => await checkouts.prepare({ lane: 'shop', repository, sha })),
  );
  assert.deepEqual(
    prepared.map(({ sha }) => sha),
    shas,
  );
  assert.deepEqual(await contents(prepared[0]?.directory ?? ''), [
    'README.md',
    'a.txt',
    ...FIRST.slice(1),
  ]);
});

test('a commit that is gone fails for good, and the work tree works on', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { request } = await prepareFirst(fixture);
  const gone = { ...request, sha: 'f'.repeat(40) };
  await assert.rejects(fixture.checkouts.prepare(gone), { code: 'commit-missing' });
  await fixture.checkouts.prepare(request);
});

test('an aborted preparation says so, and the next one works', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { request, directory } = await prepareFirst(fixture);
  const aborted = { ...request, signal: AbortSignal.abort() };
  await assert.rejects(fixture.checkouts.prepare(aborted), { code: 'git-stopped' });
  await fixture.checkouts.prepare(request);
  assert.deepEqual(await contents(directory), FIRST);
});

test(
  'a mirror that turns out damaged is made again, and the work tree with it',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { mirrors, checkouts, repository, commit } = fixture;
    const { directory } = await prepareFirst(fixture);
    const sha = await commit({ 'a.txt': 'x'.repeat(1000) });
    await mirrors.fetch(repository);
    const blob = await fixture.git('rev-parse', `${sha}:a.txt`);
    const packs = join(mirrors.directoryOf(repository), 'objects', 'pack');
    // The commit is still found, a file of it cannot be read.
    for (const name of await readdir(packs)) {
      if (!name.endsWith('.pack')) continue;
      const { stdout } = await run('git', ['verify-pack', '-v', join(packs, name)]);
      if (!stdout.includes(blob)) continue;
      const path = join(packs, name);
      await chmod(path, 0o600);
      const bytes = await readFile(path);
      const line = stdout.split('\n').find((entry) => entry.startsWith(blob)) ?? '';
      const offset = Number(line.trim().split(/ +/)[4]);
      bytes.fill(0, offset + 2, offset + 10);
      await writeFile(path, bytes);
    }
    await checkouts.prepare({ lane: 'shop', repository, sha });
    assert.deepEqual(await contents(directory), ['README.md', 'a.txt', ...FIRST.slice(1)]);
  },
);

test('only the wanted lanes stay', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { checkouts, repository, git, data } = fixture;
  const sha = await git('rev-parse', 'HEAD');
  const one = await checkouts.prepare({ lane: 'one', repository, sha });
  await checkouts.prepare({ lane: 'two', repository, sha });
  await checkouts.retain(new Set(['one', 'three']));
  assert.equal((await readdir(join(data, 'work'))).length, 1);
  assert.deepEqual(await contents(one.directory), FIRST);
});

test(
  'what a crash left half made or half removed is swept away at start',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { directory } = await prepareFirst(fixture);
    const work = join(fixture.data, 'work');
    await mkdir(join(work, '.new-0123', 'git'), { recursive: true });
    await mkdir(join(work, '.old-0123', 'tree'), { recursive: true });
    await symlink(fixture.root, join(work, '.old-4567'));
    await fixture.restart().checkouts.sweep();
    assert.equal((await readdir(work)).length, 1);
    assert.deepEqual(await contents(directory), FIRST);
  },
);

test(
  'a work tree in which a crash stopped git is swept away with its locks, also when its lane is not deployed again',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { request, directory } = await prepareFirst(fixture);
    const whole = await fixture.checkouts.prepare({ ...request, lane: 'other' });
    // What stands there between the first change and the last check.
    await rm(join(directory, '..', 'name'));
    await writeFile(join(directory, '..', 'git', 'index.lock'), '');
    await fixture.restart().checkouts.sweep();
    assert.deepEqual(await readdir(join(directory, '..', '..')), []);
    assert.deepEqual(await contents(whole.directory), FIRST);
  },
);

test(
  'work trees from before the machine started again are swept away: not all of them may have reached the disk',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const { directory } = await prepareFirst(fixture);
    const name = join(directory, '..', 'name');
    const [id] = (await readFile(name, 'utf8')).split('@');
    await writeFile(name, `${id}@2f1b1d0e-0000-0000-0000-000000000000`);
    await fixture.restart().checkouts.sweep();
    assert.deepEqual(await readdir(join(directory, '..', '..')), []);
  },
);

test(
  'the sweep goes into no directory that a step put or closed in place of a lane',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createFixture(t);
    const work = join(fixture.data, 'work');
    const outside = join(fixture.root, 'outside');
    await mkdir(join(outside, 'precious'), { recursive: true });
    await mkdir(work, { recursive: true });
    await mkdir(join(work, 'closed'), { mode: 0 });
    await symlink(outside, join(work, 'link'));
    await fixture.restart().checkouts.sweep();
    assert.deepEqual(await readdir(outside), ['precious']);
  },
);
