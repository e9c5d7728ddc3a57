import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, cp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFixture, until } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };

test('a fetch brings new, forced, deleted and renamed branches and tags', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  await git('push', '--quiet', 'origin', 'HEAD:refs/heads/topic', 'HEAD:refs/tags/v1');
  await mirrors.fetch(repository);
  const first = await commit({ 'a.txt': '1' });
  await git('commit', '--quiet', '--amend', '--message=forced');
  await git('push', '--quiet', '--force', 'origin', 'HEAD:main', 'HEAD:refs/tags/v1');
  // A directory where a branch was.
  await git('push', '--quiet', 'origin', ':topic', 'HEAD:refs/heads/topic/one');
  await mirrors.fetch(repository);

  const head = await git('rev-parse', 'HEAD');
  assert.notEqual(head, first);
  assert.equal(await mirrors.resolveTag(repository, 'v1'), head);
  const refs = await git(
    '-C',
    mirrors.directoryOf(repository),
    'for-each-ref',
    '--format=%(refname)',
  );
  assert.deepEqual(refs.split('\n'), ['refs/heads/main', 'refs/heads/topic/one', 'refs/tags/v1']);
});

test('a mirror is made once, and again when it is gone', TIME_LIMIT, async (t) => {
  const { mirrors, repository, commit } = await createFixture(t);
  await mirrors.fetch(repository);
  const directory = mirrors.directoryOf(repository);
  const { ino } = await stat(directory);
  await commit({ 'a.txt': '1' });
  await mirrors.fetch(repository);
  assert.equal((await stat(directory)).ino, ino);
  await rm(directory, { recursive: true });
  await mirrors.fetch(repository);
  assert.equal((await stat(directory)).isDirectory(), true);
});

test(
  'an ask that comes while a fetch runs sees what was pushed meanwhile',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, server, commit } = await createFixture(t);
    await mirrors.fetch(repository);
    const before = await commit({ 'a.txt': '1' });
    const { promise, resolve } = Promise.withResolvers<void>();
    const seen: string[] = [];
    server.fault = (line) => {
      seen.push(line);
      // The first fetch has read the refs (the second request) when it is stopped.
      return seen.length === 3 ? { kind: 'hang', until: promise } : undefined;
    };
    const first = mirrors.fetch(repository);
    await until(() => seen.length === 3);
    const after = await commit({ 'b.txt': '2' });
    const asks = [mirrors.fetch(repository), mirrors.fetch(repository)];
    resolve();
    await first;
    await Promise.all(asks);

    const fetches = seen.filter((line) => line.startsWith('GET'));
    assert.equal(fetches.length, 2, 'the two later asks shared one fetch');
    const { length } = server.requests;
    await mirrors.ensureCommit(repository, before);
    await mirrors.ensureCommit(repository, after);
    assert.equal(server.requests.length, length, 'both commits are there');
  },
);

test('a commit that is there already needs no request', TIME_LIMIT, async (t) => {
  const { mirrors, repository, server, git } = await createFixture(t);
  const sha = await git('rev-parse', 'HEAD');
  await mirrors.ensureCommit(repository, sha);
  const { length } = server.requests;
  assert.ok(length > 0);
  await mirrors.ensureCommit(repository, sha);
  assert.equal(server.requests.length, length);
});

test(
  'a commit that was forced away is still fetched while the server keeps it',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const sha = await commit({ 'a.txt': '1' });
    await git('reset', '--quiet', '--hard', 'HEAD~1');
    await commit({ 'b.txt': '2' });
    await mirrors.ensureCommit(repository, sha);
  },
);

test('a commit that is gone fails clearly and for good', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, serverGit, commit } = await createFixture(t);
  const sha = await commit({ 'a.txt': '1' });
  await git('reset', '--quiet', '--hard', 'HEAD~1');
  await commit({ 'b.txt': '2' });
  await serverGit('gc', '--quiet', '--prune=now');
  await assert.rejects(mirrors.ensureCommit(repository, sha), {
    name: 'TerminalError',
    code: 'commit-missing',
    message: `commit ${sha} is not in acme/shop any more: it was probably force-pushed away`,
  });
});

test('the name of a tree or of a tag object is no commit', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git } = await createFixture(t);
  await git('tag', '--annotate', '--message=x', 'v1');
  await git('push', '--quiet', 'origin', 'v1');
  await mirrors.fetch(repository);
  for (const name of ['HEAD^{tree}', 'v1']) {
    const sha = await git('rev-parse', name);
    await assert.rejects(mirrors.ensureCommit(repository, sha), { code: 'commit-missing' });
  }
});

test(
  'a tag is resolved to its commit, annotated or not, also when it was moved',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const first = await git('rev-parse', 'HEAD');
    await git('tag', 'light');
    await git('tag', '--annotate', '--message=x', 'annotated');
    await git('tag', '--annotate', '--message=x', 'nested', 'annotated');
    await git('tag', 'tree', 'HEAD^{tree}');
    await git('push', '--quiet', 'origin', '--tags');
    assert.equal(await mirrors.resolveTag(repository, 'light'), first);
    assert.equal(await mirrors.resolveTag(repository, 'annotated'), first);
    assert.equal(await mirrors.resolveTag(repository, 'refs/tags/nested'), first);
    const second = await commit({ 'a.txt': '1' });
    await git('tag', '--force', '--annotate', '--message=y', 'annotated');
    await git('push', '--quiet', '--force', 'origin', 'annotated');
    assert.equal(await mirrors.resolveTag(repository, 'annotated'), second);

    await assert.rejects(mirrors.resolveTag(repository, 'tree'), { code: 'tag-missing' });
    await assert.rejects(mirrors.resolveTag(repository, 'main'), { code: 'tag-missing' });
    await assert.rejects(mirrors.resolveTag(repository, '--help'), { code: 'invalid-ref' });
  },
);

test('whether a commit is in the history of another', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  const first = await git('rev-parse', 'HEAD');
  const second = await commit({ 'a.txt': '1' });
  assert.equal(await mirrors.isAncestor(repository, first, second), true);
  assert.equal(await mirrors.isAncestor(repository, first, first), true);
  assert.equal(await mirrors.isAncestor(repository, second, first), false);
  assert.equal(await mirrors.isAncestor(repository, 'f'.repeat(40), second), false);
  await assert.rejects(mirrors.isAncestor(repository, second, 'f'.repeat(40)), {
    code: 'commit-missing',
  });
});

test(
  'the heads of a repository are read in one request and nothing is fetched',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, data, server, git } = await createFixture(t);
    const sha = await git('rev-parse', 'HEAD');
    await git('push', '--quiet', 'origin', 'HEAD:refs/heads/release/1', 'HEAD:refs/tags/v1');
    assert.deepEqual(
      await mirrors.heads(repository),
      new Map([
        ['main', sha],
        ['release/1', sha],
      ]),
    );
    assert.equal(server.requests.filter(({ line }) => line.startsWith('GET')).length, 1);
    await assert.rejects(readdir(join(data, 'mirrors')), { code: 'ENOENT' });
  },
);

test('only the mirrors that are wanted stay', TIME_LIMIT, async (t) => {
  const { mirrors, repository, data, serverGit } = await createFixture(t);
  await serverGit('clone', '--quiet', '--bare', '.', '../hub.git');
  await mirrors.fetch(repository);
  await mirrors.fetch('acme/hub');
  await mirrors.retain(new Set(['Acme/Hub']));
  assert.deepEqual(await readdir(join(data, 'mirrors')), ['acme+hub']);
  await mirrors.retain(new Set());
  assert.deepEqual(await readdir(join(data, 'mirrors')), []);
});

test('a damaged mirror is made again', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t);
  const directory = mirrors.directoryOf(repository);
  await mirrors.fetch(repository);
  const damages: (() => Promise<void>)[] = [
    async () => await writeFile(join(directory, 'HEAD'), ''),
    async () => await rm(join(directory, 'objects'), { recursive: true }),
    async () => {
      await rm(join(directory, 'objects', 'pack'), { recursive: true });
    },
    async () => await writeFile(join(directory, 'config'), '[core\n\tfsmonitor = touch pwned'),
    async () => await writeFile(join(directory, 'packed-refs'), 'garbage\n'),
    async () => await chmod(join(directory, 'objects'), 0),
    async () => await chmod(directory, 0),
    async () => {
      await rm(directory, { recursive: true });
      await writeFile(directory, 'a file');
    },
  ];
  for (const [index, damage] of damages.entries()) {
    await damage();
    const sha = await commit({ 'a.txt': String(index) });
    await mirrors.ensureCommit(repository, sha);
    await git('-C', directory, 'fsck', '--strict');
  }
});

test('locks and halves that a crash left are swept away at start', TIME_LIMIT, async (t) => {
  const { mirrors, restart, repository, data, commit } = await createFixture(t);
  const directory = mirrors.directoryOf(repository);
  await mirrors.fetch(repository);
  await writeFile(join(directory, 'refs', 'heads', 'main.lock'), '');
  await writeFile(join(directory, 'packed-refs.lock'), '');
  for (const name of ['tmp_pack_x', '.tmp-12-pack-x.pack']) {
    await writeFile(join(directory, 'objects', 'pack', name), '');
  }
  await writeFile(join(data, 'mirrors', '.new-0123'), '');
  const restarted = restart().mirrors;
  await restarted.sweep();
  assert.deepEqual(await readdir(join(data, 'mirrors')), ['acme+shop']);
  const left = await readdir(directory, { recursive: true });
  assert.deepEqual(
    left.filter((name) => name.endsWith('.lock') || name.includes('tmp')),
    [],
  );
  await restarted.ensureCommit(repository, await commit({ 'a.txt': '1' }));
});

test(
  'locks of a git that was killed beside the controller stop no fetch',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const directory = mirrors.directoryOf(repository);
    await git('push', '--quiet', 'origin', 'HEAD:refs/heads/topic');
    // Packs the refs too.
    await mirrors.fetch(repository);
    await git('push', '--quiet', 'origin', ':refs/heads/topic');
    const sha = await commit({ 'a.txt': '1' });
    for (const name of [
      'HEAD.lock',
      'refs/heads/main.lock',
      'packed-refs.lock',
      'packed-refs.new',
    ]) {
      await writeFile(join(directory, name), '');
    }
    await mirrors.fetch(repository);
    const refs = await git('-C', directory, 'for-each-ref', '--format=%(refname) %(objectname)');
    assert.equal(refs, `refs/heads/main ${sha}`);
  },
);

test('a mirror whose older objects are damaged is made again by the run that finds out', async (t) => {
  const { mirrors, repository, data, git, commit } = await createFixture(t);
  const directory = mirrors.directoryOf(repository);
  const [first, second] = [await commit({ 'a.txt': '1' }), await commit({ 'a.txt': '2' })];
  await mirrors.fetch(repository);
  const [older = ''] = await packsOf(directory);
  const [third, fourth] = [await commit({ 'a.txt': '3' }), await commit({ 'a.txt': '4' })];
  await mirrors.fetch(repository);
  const whole = join(data, 'whole');
  await cp(directory, whole, { recursive: true });

  const reads: [unknown, () => Promise<unknown>][] = [
    [true, () => mirrors.isAncestor(repository, third, fourth)],
    [false, () => mirrors.isAncestor(repository, fourth, third)],
    [true, () => mirrors.isAncestor(repository, first, fourth)],
    ['branch', () => mirrors.kindOfHead(repository, 'main', second)],
    [['a.txt'], () => mirrors.changedPaths(repository, first, fourth)],
    ['change', async () => (await mirrors.commit(repository, first)).message.trim()],
    [undefined, () => mirrors.ensureCommit(repository, first)],
  ];
  for (const [index, [expected, read]] of reads.entries()) {
    await rm(directory, { recursive: true });
    await cp(whole, directory, { recursive: true });
    const damaged = index % 2 === 0 ? older : older.replace('.pack', '.idx');
    await chmod(damaged, 0o600);
    await truncate(damaged);
    assert.deepEqual(await read(), expected, String(read));
  }
  await git('-C', directory, 'fsck', '--strict');
});

async function packsOf(directory: string): Promise<string[]> {
  const packs = join(directory, 'objects', 'pack');
  const names = await readdir(packs);
  return names.filter((name) => name.endsWith('.pack')).map((name) => join(packs, name));
}

test('a fetch that broke off leaves nothing of what it had got', TIME_LIMIT, async (t) => {
  const { mirrors, server, repository, commit } = await createFixture(t);
  await mirrors.fetch(repository);
  const packs = join(mirrors.directoryOf(repository), 'objects', 'pack');
  const before = await readdir(packs);
  const sha = await commit({ large: randomBytes(4_000_000).toString('base64') });
  server.fault = () => ({ kind: 'cut', afterBytes: 2_000_000 });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await assert.rejects(mirrors.ensureCommit(repository, sha), { name: 'RetryableError' });
    assert.deepEqual(await readdir(packs), before);
  }
  server.fault = undefined;
  await mirrors.ensureCommit(repository, sha);
});

test('a fetch clears away what a git left that was killed beside it', TIME_LIMIT, async (t) => {
  const { mirrors, repository } = await createFixture(t);
  await mirrors.fetch(repository);
  const directory = mirrors.directoryOf(repository);
  const packs = join(directory, 'objects', 'pack');
  const before = await readdir(packs);
  const [pack = ''] = await packsOf(directory);
  await writeFile(pack.replace('.pack', '.keep'), '');
  for (const name of ['tmp_pack_x', '.tmp-12-pack-x.pack']) await writeFile(join(packs, name), '');
  await mirrors.fetch(repository);
  assert.deepEqual(await readdir(packs), before);
});

test('branches may be called as files that are cleared away', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git } = await createFixture(t);
  const names = ['packed-refs.new', 'tmp_x', 'x.keep'];
  await mirrors.fetch(repository);
  for (const name of names) await git('push', '--quiet', 'origin', `HEAD:refs/heads/${name}`);
  await mirrors.fetch(repository);
  await mirrors.sweep();
  const directory = mirrors.directoryOf(repository);
  const refs = await git('-C', directory, 'for-each-ref', '--format=%(refname:short)');
  assert.deepEqual(refs.split('\n'), ['main', ...names]);
});

test('many fetches leave few packs', TIME_LIMIT, async (t) => {
  const { mirrors, repository, git, commit } = await createFixture(t, { limits: { maxPacks: 4 } });
  for (let index = 0; index < 6; index += 1) {
    await commit({ 'a.txt': String(index) });
    await mirrors.fetch(repository);
  }
  const directory = mirrors.directoryOf(repository);
  const packs = await readdir(join(directory, 'objects', 'pack'));
  assert.ok(packs.filter((name) => name.endsWith('.pack')).length <= 4, `${packs.length} files`);
  await git('-C', directory, 'fsck', '--strict');
});

test(
  'a name is the branch that has the commit, else a tag that leads to it',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, commit } = await createFixture(t);
    const first = await git('rev-parse', 'HEAD');
    const kind = async (name: string, sha: string) =>
      await mirrors.kindOfHead(repository, name, sha);
    const merged = await commit({ 'a.txt': '1' });
    assert.equal(await kind('main', first), 'branch', 'also when the branch has moved on');
    assert.equal(await kind('main', merged), 'branch');

    const unmerged = await commit({ 'a.txt': '2' }, 'topic');
    await git('tag', '--annotate', '--message=x', 'main', unmerged);
    await git('push', '--quiet', 'origin', 'refs/tags/main', `${unmerged}:refs/tags/v1`);
    assert.equal(await kind('main', unmerged), 'tag');
    assert.equal(await kind('v1', unmerged), 'tag');
    assert.equal(await kind('main', merged), 'branch');
    await git('push', '--quiet', 'origin', ':refs/tags/main');
    assert.equal(await kind('main', unmerged), 'neither');
    assert.equal(await kind('gone', merged), 'neither');
    assert.equal(await kind('main', 'f'.repeat(40)), 'neither');
  },
);

test(
  'a name is looked up as a branch, a tag or a commit, and none as the default branch whatever it is called',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, git, serverGit, commit, server } = await createFixture(t);
    const main = await git('rev-parse', 'HEAD');
    assert.equal(await mirrors.revision(repository, undefined), main);
    const trunk = await commit({ 'a.txt': '1' }, 'trunk');
    await serverGit('symbolic-ref', 'HEAD', 'refs/heads/trunk');
    assert.equal(await mirrors.revision(repository, undefined), trunk);
    assert.equal(await mirrors.revision(repository, 'main'), main);

    await git('tag', '--annotate', '--message=x', 'v1', main);
    await git('tag', 'v2', trunk);
    await git('tag', 'main', trunk);
    const tags = ['v1', 'v2', 'main'].map((tag) => `refs/tags/${tag}`);
    await git('push', '--quiet', 'origin', ...tags, `${trunk}:refs/heads/nested/refs/heads/v1`);
    assert.equal(await mirrors.revision(repository, 'v1'), main, 'the commit, not the tag object');
    assert.equal(await mirrors.revision(repository, 'v2'), trunk);
    assert.equal(await mirrors.revision(repository, 'main'), main, 'a branch goes first');
    assert.equal(await mirrors.revision(repository, 'f'.repeat(40)), 'f'.repeat(40));

    const before = server.requests.length;
    await mirrors.revision(repository, 'v1');
    assert.ok(server.requests.length - before <= 2, 'the list of refs and nothing else');
    for (const name of ['gone', 'f'.repeat(39)]) {
      await assert.rejects(mirrors.revision(repository, name), { code: 'ref-missing' });
    }
    await assert.rejects(mirrors.revision(repository, '--upload-pack=x'), { code: 'invalid-ref' });
  },
);
