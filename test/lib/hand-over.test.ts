import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { discard } from '../../src/lib/discard.ts';
import { handOver, makeOwn, takeBack } from '../../src/lib/hand-over.ts';
import { needsRoot, STEP_USER } from '../support/root.ts';

const { uid, gid } = STEP_USER;

/** `tree` with a file, a directory, links to what lies in `outside`, and a second name of a file there. */
async function createTree(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-hand-over-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const outside = join(root, 'outside');
  const tree = join(root, 'tree');
  await mkdir(join(outside, 'inner'), { recursive: true });
  for (const path of [outside, join(outside, 'inner')]) await chmod(path, 0o755);
  await writeFile(join(outside, 'precious'), 'untouched');
  await mkdir(join(tree, 'deep', 'er'), { recursive: true });
  await writeFile(join(tree, 'deep', 'er', 'file'), '');
  await symlink(outside, join(tree, 'deep', 'directory-link'));
  await symlink(join(outside, 'precious'), join(tree, 'file-link'));
  await link(join(outside, 'precious'), join(tree, 'second-name'));
  const owners = async (...paths: string[]) =>
    await Promise.all(paths.map(async (path) => (await lstat(join(root, path))).uid));
  return { root, tree, outside, owners };
}

const OUTSIDE = ['outside', 'outside/inner', 'outside/precious'];

test(
  'what is handed over is the tree with its links, and nothing that a link or a second name leads to',
  needsRoot,
  async (t) => {
    const { tree, owners } = await createTree(t);
    await handOver(tree, STEP_USER);
    const given = [
      'tree',
      'tree/deep',
      'tree/deep/er',
      'tree/deep/er/file',
      'tree/file-link',
      'tree/deep/directory-link',
    ];
    assert.deepEqual(
      await owners(...given),
      given.map(() => uid),
    );
    assert.deepEqual(await owners(...OUTSIDE, 'tree/second-name'), [0, 0, 0, 0]);
  },
);

test('a directory is handed over after its content', needsRoot, async (t) => {
  const { tree, owners } = await createTree(t);
  // The first failure ends it: nothing above may have changed hands by then.
  await assert.rejects(handOver(join(tree, 'file-link'), STEP_USER));
  await mkdir(join(tree, 'zz'));
  const broken = { uid, gid: 'no number' as unknown as number };
  await assert.rejects(handOver(tree, broken));
  assert.deepEqual(await owners('tree', 'tree/zz'), [0, 0]);
});

test(
  'what is taken back are all directories, from the top down, and no link is followed',
  needsRoot,
  async (t) => {
    const { root, tree, owners } = await createTree(t);
    await handOver(tree, STEP_USER);
    await chown(join(root, 'outside', 'inner'), uid, gid);
    await takeBack(tree);
    assert.deepEqual(await owners('tree', 'tree/deep', 'tree/deep/er'), [0, 0, 0]);
    assert.deepEqual(await owners('outside/inner'), [uid]);
    const { mode } = await lstat(join(root, 'outside', 'inner'));
    assert.equal(mode & 0o777, 0o755);
    for (const path of ['tree', 'tree/deep', 'tree/deep/er']) {
      assert.equal((await lstat(join(root, path))).mode & 0o777, 0o700, path);
    }
  },
);

test(
  'a tree that belongs to another user is removed, and nothing that it leads to',
  needsRoot,
  async (t) => {
    const { root, tree, outside } = await createTree(t);
    await handOver(tree, STEP_USER);
    await discard(tree, root);
    assert.deepEqual(await readdir(root), ['outside']);
    assert.deepEqual((await readdir(outside)).sort(), ['inner', 'precious']);
  },
);

test('directories that lie deeper than any path reaches are removed, whatever bytes their names have', async (t) => {
  const { root, tree } = await createTree(t);
  // Level by level: what is below has no path that the system would take.
  const program = `
    process.chdir(process.argv[1]);
    for (let level = 0; level < 60; level += 1) {
      fs.mkdirSync('d'.repeat(200));
      process.chdir('d'.repeat(200));
      fs.writeFileSync('file', '');
      fs.symlinkSync('/', 'link');
      fs.chmodSync('.', level % 3 === 0 ? 0o300 : 0o700);
    }`;
  await promisify(execFile)(process.execPath, ['-e', program, tree]);
  const odd = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff])]);
  await mkdir(Buffer.concat([odd, Buffer.from('/inner')]), { recursive: true });
  await chmod(odd, 0o000);
  await discard(tree, root);
  assert.deepEqual(await readdir(root), ['outside']);
});

test('what a step has mounted is left as it is, with all that is in it', async (t) => {
  const { tree } = await createTree(t);
  const mounted = join(tree, 'deep', 'er');
  await mkdir(join(mounted, 'inner', 'most'), { recursive: true });
  await mkdir(join(tree, 'empty'));
  // As the system answers for a place where something is mounted: no test may mount.
  await takeBack(tree, async (path) => {
    if (String(path) === mounted) throw Object.assign(new Error('busy'), { code: 'EBUSY' });
    await rmdir(path);
  });
  const modes = ['deep', 'deep/er', 'deep/er/inner', 'deep/er/inner/most'].map(
    async (path) => (await lstat(join(tree, path))).mode & 0o777,
  );
  assert.deepEqual(await Promise.all(modes), [0o700, 0o755, 0o755, 0o755]);
  assert.ok(!(await readdir(tree)).includes('empty'));
});

test(
  'the system says of a place where something is mounted that it is busy',
  needsRoot,
  async () => {
    // Not empty: nothing happens to it, whatever the answer is.
    await assert.rejects(rmdir('/proc'), { code: 'EBUSY' });
  },
);

test('what is not there, or is no directory, is left as it is', async (t) => {
  const { root, tree, outside } = await createTree(t);
  await takeBack(join(root, 'missing'));
  await takeBack(join(tree, 'file-link'));
  await takeBack(join(tree, 'deep', 'directory-link'));
  assert.equal((await lstat(outside)).mode & 0o777, 0o755);
});

test(
  'a guest may pass through a directory of ours, and neither list nor change it',
  needsRoot,
  async (t) => {
    const { root } = await createTree(t);
    await makeOwn(join(root, 'own'), STEP_USER);
    const { mode, uid: owner, gid: group } = await lstat(join(root, 'own'));
    assert.deepEqual([mode & 0o777, owner, group], [0o710, 0, gid]);
  },
);

test('without a guest, a directory of ours is ours alone', async (t) => {
  const { root } = await createTree(t);
  await makeOwn(join(root, 'own'), undefined);
  assert.equal((await lstat(join(root, 'own'))).mode & 0o777, 0o700);
});
