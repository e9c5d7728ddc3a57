import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadSpecs } from '../../src/spec/load.ts';
import { formatProblem } from '../../src/spec/problem.ts';

async function directoryWith(
  t: TestContext,
  files: Record<string, string | Buffer>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-specs-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

const named = (name: string) =>
  `name: ${name}\nrepository: acme/${name}\non: push\nsteps: [{ run: x }]\n`;

test('a directory that cannot be read is a problem: what is in it is not gone', async (t) => {
  const directory = await directoryWith(t, {
    'a.yaml': named('a'),
    'team/b.yaml': named('b'),
    // As at the root of a volume.
    'lost+found/c.yaml': named('c'),
  });
  await symlink('circle', join(directory, 'circle'));
  await chmod(directory, 0o755);
  await chmod(join(directory, 'a.yaml'), 0o644);
  for (const name of ['team', 'lost+found']) await chmod(join(directory, name), 0);
  const url = new URL('../../src/spec/load.ts', import.meta.url).href;
  const text = `const { loadSpecs } = await import(${JSON.stringify(url)});
    const { problems } = await loadSpecs(${JSON.stringify(directory)});
    console.log(JSON.stringify(problems));`;
  // Root can read everything.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const args = ['--input-type=module', '--eval', text];
  const { stdout, stderr } = spawnSync(process.execPath, args, { ...account, encoding: 'utf8' });
  for (const name of ['team', 'lost+found']) await chmod(join(directory, name), 0o700);
  const problems = JSON.parse(stdout || '[]') as { file: string; message: string }[];
  assert.deepEqual(
    problems.map(({ file, message }) => [file, message]),
    [['team', 'cannot be read: EACCES']],
    stderr,
  );
});

test('every YAML file below the directory is read, in the order of paths', async (t) => {
  const directory = await directoryWith(t, {
    'b.yml': named('b'),
    'a/deep/one.yaml': named('one'),
    'a/zero.YAML': named('zero'),
    'notes.txt': 'not a spec',
    'schema.json': '{}',
    '.hidden.yaml': 'not: looked at',
    '.git/x.yaml': 'not: looked at',
  });
  const { specs, problems } = await loadSpecs(directory);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    specs.map(({ file }) => file),
    ['a/deep/one.yaml', 'a/zero.YAML', 'b.yml'],
  );
});

test('all problems of all files are told at once, and valid specs are still given', async (t) => {
  const directory = await directoryWith(t, {
    'a.yaml': named('a'),
    'b.yaml': `${named('b')}extra: 1\n`,
    'c.yaml': 'name: [',
  });
  const { specs, problems } = await loadSpecs(directory);
  assert.deepEqual(
    specs.map(({ spec }) => spec.name),
    ['a'],
  );
  assert.deepEqual(
    problems.map(({ file, line }) => `${file}:${line}`),
    ['b.yaml:5', 'c.yaml:1'],
  );
});

test('a name that is used twice is a problem that names both places', async (t) => {
  const directory = await directoryWith(t, {
    'a.yaml': named('shop'),
    'b/c.yaml': `# c\n---\n${named('shop')}`,
  });
  const { problems } = await loadSpecs(directory);
  assert.deepEqual(problems.map(formatProblem), [
    'b/c.yaml:3:1: the name "shop" is already used at a.yaml:1 — every spec needs a name of its own',
  ]);
  assert.equal(problems[0]?.excerpt, 'name: shop\n^');
});

test('a missing directory is a problem with a hint, and so is a file in its place', async (t) => {
  const directory = await directoryWith(t, { 'a.yaml': named('a') });
  const { specs, problems } = await loadSpecs(join(directory, 'nowhere'));
  assert.deepEqual(specs, []);
  assert.match(
    formatProblem(problems[0] ?? assert.fail()),
    /does not exist — make it, or point MAINSHEET_DEPLOYMENTS/,
  );
  assert.match(
    (await loadSpecs(join(directory, 'a.yaml'))).problems[0]?.message ?? '',
    /is not a directory/,
  );
});

test('links within the directory are followed, links out of it are not', async (t) => {
  const outside = await directoryWith(t, { 'secret.yaml': named('outside') });
  const directory = await directoryWith(t, { 'real/a.yaml': named('a') });
  await symlink(join(outside, 'secret.yaml'), join(directory, 'out.yaml'));
  await symlink(outside, join(directory, 'elsewhere'));
  await symlink('.', join(directory, 'loop'));
  await symlink('nothing', join(directory, 'dangling.yaml'));
  const { specs, problems } = await loadSpecs(directory);
  assert.deepEqual(
    specs.map(({ spec }) => spec.name),
    ['a'],
  );
  assert.deepEqual(problems.map(formatProblem), [
    'dangling.yaml:1:1: cannot be read: ENOENT',
    'out.yaml:1:1: is a link out of the deployments directory, which is not followed',
  ]);
});

test('a Kubernetes ConfigMap volume, which is made of links, is read once', async (t) => {
  const directory = await directoryWith(t, { '..2026_01/shop.yaml': named('shop') });
  await symlink('..2026_01', join(directory, '..data'));
  await symlink('..data/shop.yaml', join(directory, 'shop.yaml'));
  const { specs, problems } = await loadSpecs(directory);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    specs.map(({ file }) => file),
    ['shop.yaml'],
  );
});

test('a file that is too large or not text is a problem, and a directory called x.yaml is just a directory', async (t) => {
  const directory = await directoryWith(t, {
    'big.yaml': Buffer.alloc(1024 * 1024 + 1, 32),
    'latin.yaml': Buffer.from([0x6e, 0xe4]),
    'dir.yaml/a.yaml': named('a'),
    'bom.yaml': `\uFEFF${named('bom')}`,
  });
  const { specs, problems } = await loadSpecs(directory);
  assert.deepEqual(
    specs.map(({ spec }) => spec.name),
    ['bom', 'a'],
  );
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['the file is larger than 256 KiB', 'the file is not UTF-8 text'],
  );
});

test('a spec that is started by a hook which no file has is worth a warning', async (t) => {
  const directory = await directoryWith(t, {
    'a.yaml':
      'kind: hook\nid: images\nsender: bearer\n---\nname: a\nrepository: acme/a\non: { hook: { id: image } }\nsteps: [{ run: x }]\n',
  });
  const { warnings, problems } = await loadSpecs(directory);
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings.map(formatProblem), [
    'a.yaml:5:1: a is started by the hook image, which no file has — did you mean "images"?',
  ]);
});

test('the id of a hook is used once', async (t) => {
  const hook = 'kind: hook\nid: images\nsender: bearer\n';
  const directory = await directoryWith(t, { 'a.yaml': `${hook}---\n${hook}` });
  const { problems } = await loadSpecs(directory);
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['the id "images" is already used at a.yaml:1'],
  );
});
