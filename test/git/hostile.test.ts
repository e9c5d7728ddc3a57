import assert from 'node:assert/strict';
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { TerminalError } from '../../src/lib/errors.ts';
import { createFixture, run, type Fixture } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };

interface Trap extends Fixture {
  /** A program that leaves a mark when it is run. */
  trap: string;
  /** A directory next to the data, with a file in it. */
  outside: string;
  /** Proves that the program did not run, and that nothing outside was changed. */
  assertUntouched: () => Promise<void>;
}

async function createTrap(t: TestContext): Promise<Trap> {
  const fixture = await createFixture(t);
  const marks = join(fixture.root, 'marks');
  const trap = join(fixture.root, 'trap');
  const outside = join(fixture.root, 'outside');
  await mkdir(marks);
  await mkdir(outside);
  await writeFile(join(outside, 'canary.txt'), 'alive');
  await writeFile(trap, `#!/bin/sh\nprintf '%s\\n' "$0 $*" >> "${marks}/ran"\n`);
  await chmod(trap, 0o755);
  return {
    ...fixture,
    trap,
    outside,
    async assertUntouched() {
      assert.deepEqual(await readdir(marks), [], 'the program was run');
      assert.deepEqual(await readdir(outside), ['canary.txt']);
      assert.equal(await readFile(join(outside, 'canary.txt'), 'utf8'), 'alive');
    },
  };
}

async function refused(call: Promise<unknown>, what: string): Promise<void> {
  await assert.rejects(
    call,
    (error) => error instanceof TerminalError && error.code.startsWith('invalid-'),
    what,
  );
}

test('the trap works: a git that is not careful runs it', TIME_LIMIT, async (t) => {
  const { root, trap, assertUntouched } = await createTrap(t);
  await run('git', ['-c', `core.fsmonitor=${trap}`, 'status'], { cwd: join(root, 'author') });
  await assert.rejects(assertUntouched());
});

test(
  'values of a payload that look like options or code are refused or inert',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createTrap(t);
    const { mirrors, checkouts, repository, git, server, trap } = fixture;
    const sha = await git('rev-parse', 'HEAD');
    const values = [
      '--upload-pack=touch${IFS}pwned',
      `--upload-pack=${trap}`,
      `--output=${fixture.outside}/canary.txt`,
      '-c core.fsmonitor=x',
      '$(id)',
      '`id`',
      '; rm -rf x',
      '| id',
      'a\nb',
      'a\0b',
      '../../../outside',
      `ext::${trap}`,
      '@{-1}',
      'HEAD~1',
      ':/fix',
      '',
    ];
    for (const value of values) {
      await refused(mirrors.fetch(value), value);
      await refused(mirrors.heads(`acme/${value}`), value);
      await refused(mirrors.ensureCommit(repository, value), value);
      await refused(mirrors.changedPaths(repository, value, sha), value);
      await refused(mirrors.changedPaths(repository, sha, value), value);
      await refused(mirrors.isAncestor(repository, value, sha), value);
      await refused(mirrors.isAncestor(repository, sha, value), value);
      await refused(checkouts.prepare({ lane: 'x', repository, sha: value }), value);
      await refused(checkouts.prepare({ lane: 'x', repository: value, sha }), value);
      assert.throws(() => mirrors.directoryOf(value), TerminalError);
      await assert.rejects(mirrors.resolveTag(repository, value), TerminalError, value);
    }
    const asked = server.requests
      .map(({ line }) => line)
      .filter((line) => !line.includes('/acme/shop.git/'));
    assert.deepEqual(asked, [], 'git was not started for any of them');

    // A lane may be called anything: its directory is ours to name.
    for (const lane of values) {
      const { directory } = await checkouts.prepare({ lane, repository, sha });
      assert.ok(directory.startsWith(join(fixture.data, 'work')));
    }
    await fixture.assertUntouched();
  },
);

test(
  'a repository with hostile branch, tag and file names is mirrored and checked out',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createTrap(t);
    const { mirrors, checkouts, repository, serverGit, commit, trap } = fixture;
    const files = ['--upload-pack=x', '$(id)', '`id`', '; rm -rf x', 'a\nb', '-rf', ':(top)x', '*'];
    const sha = await commit(Object.fromEntries(files.map((name) => [name, 'x'])));
    const branches = [
      `--upload-pack=${trap.replaceAll('/', '_')}\${IFS}x`,
      '$(id)',
      '`id`',
      ';id',
      '-x',
    ];
    for (const name of branches) {
      await serverGit('update-ref', `refs/heads/${name}`, sha);
      await serverGit('update-ref', `refs/tags/${name}`, sha);
    }
    const { directory } = await checkouts.prepare({ lane: 'x', repository, sha });
    assert.deepEqual((await mirrors.heads(repository)).size, branches.length + 1);
    assert.equal(await mirrors.resolveTag(repository, '$(id)'), sha);
    for (const name of files) assert.equal(await readFile(join(directory, name), 'utf8'), 'x');
    await fixture.assertUntouched();
  },
);

test('a default branch with a hostile name is only a name', TIME_LIMIT, async (t) => {
  const fixture = await createTrap(t);
  const { mirrors, repository, git, serverGit } = fixture;
  const sha = await git('rev-parse', 'HEAD');
  await serverGit('update-ref', 'refs/heads/--exec=x', sha);
  await serverGit('symbolic-ref', 'HEAD', 'refs/heads/--exec=x');
  assert.deepEqual(await mirrors.changedPaths(repository, undefined, sha), []);
  await fixture.assertUntouched();
});

test(
  'links of a commit that lead outside stay links and are not followed',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createTrap(t);
    const { checkouts, repository, root, outside, commit } = fixture;
    await symlink(outside, join(root, 'author', 'link'));
    await symlink(join(outside, 'canary.txt'), join(root, 'author', 'file'));
    await symlink('/etc/passwd', join(root, 'author', 'absolute'));
    const links = await commit({});
    for (const name of ['link', 'file', 'absolute']) await rm(join(root, 'author', name));
    const files = await commit({ 'link/canary.txt': 'mine', file: 'mine', absolute: 'mine' });

    const prepare = async (sha: string) =>
      (await checkouts.prepare({ lane: 'x', repository, sha })).directory;
    const directory = await prepare(links);
    assert.equal(await readlink(join(directory, 'link')), outside);
    await prepare(files);
    assert.equal(await readFile(join(directory, 'link', 'canary.txt'), 'utf8'), 'mine');
    await prepare(links);
    await fixture.assertUntouched();
  },
);

test(
  'links that a step put in place of directories and files are not followed',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createTrap(t);
    const { checkouts, repository, outside, commit } = fixture;
    const first = await commit({
      'canary.txt': 'mine',
      'dir/canary.txt': 'mine',
      'dir/more.txt': 'x',
    });
    const second = await commit({
      'canary.txt': 'new',
      'dir/canary.txt': 'new',
      'dir/more.txt': undefined,
    });
    for (const next of [second, first]) {
      const { directory } = await checkouts.prepare({ lane: 'x', repository, sha: first });
      await rm(join(directory, 'dir'), { recursive: true });
      await symlink(outside, join(directory, 'dir'));
      await rm(join(directory, 'canary.txt'));
      await symlink(join(outside, 'canary.txt'), join(directory, 'canary.txt'));
      await symlink(outside, join(directory, 'new-link'));
      await mkdir(join(directory, 'new'));
      await symlink(outside, join(directory, 'new', 'link'));
      await checkouts.prepare({ lane: 'x', repository, sha: next });
      const expected = next === first ? 'mine' : 'new';
      assert.equal(await readFile(join(directory, 'dir', 'canary.txt'), 'utf8'), expected);
      await fixture.assertUntouched();
    }
  },
);

test('a commit whose tree reaches for .git or above is not checked out', TIME_LIMIT, async (t) => {
  const fixture = await createTrap(t);
  const { checkouts, repository, git, root } = fixture;
  const hook = await git('hash-object', '-w', fixture.trap);
  for (const name of ['.git', '..', '.GIT']) {
    const entry = `100755 blob ${hook}\tpost-checkout\n`;
    const inner = await mktree(join(root, 'author'), entry);
    const tree = await mktree(join(root, 'author'), `040000 tree ${inner}\t${name}\n`);
    const sha = await git('commit-tree', '-m', 'x', tree);
    await git('push', '--quiet', '--force', 'origin', `${sha}:refs/heads/main`);
    await assert.rejects(checkouts.prepare({ lane: 'x', repository, sha }), /invalid path/);
  }
  await fixture.assertUntouched();
});

test(
  'a commit that git cannot write is refused at once, with the reason',
  TIME_LIMIT,
  async (t) => {
    const { checkouts, repository, git, root } = await createFixture(t);
    const author = join(root, 'author');
    const good = await git('rev-parse', 'HEAD');
    const blob = await git('hash-object', '-w', 'README.md');
    const file = await mktree(author, `100644 blob ${blob}\tfile\n`);
    const long = 'a'.repeat(300);
    let deep = file;
    for (let level = 0; level < 20; level += 1) {
      deep = await mktree(author, `040000 tree ${deep}\t${'d'.repeat(200)}\n`);
    }
    for (const entry of [
      `100644 blob ${blob}\t${long}`,
      `040000 tree ${file}\t${long}`,
      `120000 blob ${blob}\t${long}`,
      `100644 blob ${blob}\tGIT~1`,
      `100644 blob ${blob}\tSSL\\GIT~1`,
      `040000 tree ${deep}\tdeep`,
    ]) {
      const sha = await git('commit-tree', '-m', 'x', await mktree(author, `${entry}\n`));
      await git('push', '--quiet', '--force', 'origin', `${sha}:refs/heads/main`);
      for (const lane of [entry, 'used']) {
        await assert.rejects(checkouts.prepare({ lane, repository, sha }), {
          name: 'TerminalError',
          code: 'tree-impossible',
        });
        // And nothing of it is in the way of what comes later.
        const { directory } = await checkouts.prepare({ lane, repository, sha: good });
        assert.deepEqual((await readdir(directory)).sort(), ['.git', 'README.md', 'src']);
      }
    }
  },
);

test('submodules with hostile URLs and paths stay empty directories', TIME_LIMIT, async (t) => {
  const fixture = await createTrap(t);
  const { mirrors, checkouts, repository, trap, git, commit, root } = fixture;
  const urls = [
    `ext::${trap}`,
    `--upload-pack=${trap}`,
    `file://${root}/outside`,
    '../../../outside',
  ];
  const modules = urls.map(
    (url, index) =>
      `[submodule "m${index}"]\n\tpath = m${index}\n\turl = ${url}\n\tupdate = !${trap}\n`,
  );
  const before = await git('rev-parse', 'HEAD');
  await commit({
    '.gitmodules': [...modules, '[submodule "-x"]\n\tpath = -x\n\turl = x\n'].join(''),
  });
  for (const path of ['m0', 'm1', 'm2', 'm3', '-x']) {
    await git('update-index', '--add', '--cacheinfo', `160000,${before},${path}`);
  }
  await git('commit', '--quiet', '--message=modules');
  await git('push', '--quiet', 'origin', 'HEAD:main');
  const sha = await git('rev-parse', 'HEAD');
  for (let round = 0; round < 2; round += 1) {
    const { directory } = await checkouts.prepare({ lane: 'x', repository, sha });
    for (const path of ['m0', '-x']) assert.deepEqual(await readdir(join(directory, path)), []);
    // What a step can do to a submodule, and what git would run there on `git status`.
    await run('git', ['init', '--quiet', 'm0'], { cwd: directory });
    await run('git', ['config', 'core.fsmonitor', trap], { cwd: join(directory, 'm0') });
  }
  assert.equal((await mirrors.changedPaths(repository, before, sha)).length, 6);
  await fixture.assertUntouched();
});

test('filters, drivers and attributes of a commit are inert', TIME_LIMIT, async (t) => {
  const fixture = await createTrap(t);
  const { mirrors, checkouts, repository, git, commit } = fixture;
  const before = await git('rev-parse', 'HEAD');
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n';
  const attributes = '* filter=lfs diff=evil merge=evil text\n*.bin filter=evil -text\n';
  const sha = await commit({
    '.gitattributes': attributes,
    'a.bin': pointer,
    '.lfsconfig': '[lfs]\n',
  });
  const { directory } = await checkouts.prepare({ lane: 'x', repository, sha });
  assert.equal(await readFile(join(directory, 'a.bin'), 'utf8'), pointer);
  assert.equal((await mirrors.changedPaths(repository, before, sha)).length, 3);
  await fixture.assertUntouched();
});

/** Settings that make git run a program, were it to read them. */
function hostileConfig(trap: string): string {
  return `[core]
\trepositoryformatversion = 1
\tfsmonitor = ${trap}
\thooksPath = ${trap}.d
\tsshCommand = ${trap}
\tpager = ${trap}
\teditor = ${trap}
\taskPass = ${trap}
\tgitProxy = ${trap}
\talternateRefsCommand = ${trap}
\tattributesFile = ${trap}.attributes
\tworktree = ${trap}.d
[extensions]
\tworktreeConfig = true
\tpartialClone = evil
[remote "evil"]
\turl = ext::${trap}
\tuploadpack = ${trap}
\tpromisor = true
[protocol]
\tallow = always
[credential]
\thelper = !${trap}
[filter "evil"]
\tsmudge = ${trap}
\tclean = ${trap}
\tprocess = ${trap}
\trequired = true
[diff]
\texternal = ${trap}
[diff "evil"]
\tcommand = ${trap}
\ttextconv = ${trap}
[alias]
\tcheckout = !${trap}
\tclean = !${trap}
\tstatus = !${trap}
[include]
\tpath = ${trap}.config
[gpg]
\tprogram = ${trap}
[uploadpack]
\tpackObjectsHook = ${trap}
`;
}

test(
  'what a step wrote into any git directory is not run by the next checkout',
  TIME_LIMIT,
  async (t) => {
    const fixture = await createTrap(t);
    const { mirrors, checkouts, repository, trap, commit } = fixture;
    const first = await commit({ 'a.txt': 'one', 'dir/b.txt': 'one' });
    const second = await commit({ 'a.txt': 'two', 'dir/b.txt': 'two' });
    const hooks = `${trap}.d`;
    await mkdir(hooks);
    await writeFile(`${trap}.attributes`, '* filter=evil diff=evil\n');
    await writeFile(`${trap}.config`, `[core]\n\tfsmonitor = ${trap}\n`);

    const { directory } = await checkouts.prepare({ lane: 'x', repository, sha: first });
    const ours = join(directory, '..', 'git');
    for (const place of [join(directory, '.git'), ours, mirrors.directoryOf(repository)]) {
      await mkdir(join(place, 'hooks'), { recursive: true });
      await mkdir(join(place, 'info'), { recursive: true });
      await writeFile(join(place, 'config'), hostileConfig(trap));
      await writeFile(join(place, 'config.worktree'), `[core]\n\tfsmonitor = ${trap}\n`);
      await writeFile(join(place, 'info', 'attributes'), '* filter=evil diff=evil\n');
      await writeFile(join(place, 'info', 'exclude'), '*\n');
      for (const hook of [
        'post-checkout',
        'reference-transaction',
        'post-index-change',
        'pre-auto-gc',
      ]) {
        await symlink(trap, join(place, 'hooks', hook));
        await symlink(trap, join(hooks, hook)).catch(() => {});
      }
    }
    // Hidden by the exclude file above, were it read; and a repository that git would enter.
    await writeFile(join(directory, 'hidden'), '');
    await mkdir(join(directory, 'dir', '.git'));
    await writeFile(join(directory, 'dir', '.git', 'config'), hostileConfig(trap));
    await writeFile(join(directory, '.gitattributes'), '* filter=evil diff=evil\n');
    await writeFile(
      join(directory, '.gitmodules'),
      `[submodule "dir"]\n\tpath=dir\n\turl=ext::${trap}\n`,
    );
    await writeFile(join(directory, 'a.txt'), 'changed');

    const third = await commit({ 'a.txt': 'three' });
    for (const sha of [second, third, first]) {
      await checkouts.prepare({ lane: 'x', repository, sha });
      const names = (await readdir(directory)).sort();
      assert.deepEqual(names, ['.git', 'README.md', 'a.txt', 'dir', 'src']);
      assert.deepEqual(await readdir(join(directory, 'dir')), ['b.txt']);
    }
    await mirrors.changedPaths(repository, first, third);
    await mirrors.isAncestor(repository, first, third);
    await fixture.assertUntouched();
  },
);

async function mktree(directory: string, entries: string): Promise<string> {
  const git = run('git', ['mktree'], { cwd: directory });
  git.child.stdin?.end(entries);
  return (await git).stdout.trim();
}
