import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSpecChange } from '../../../src/controller/plans/spec-change.ts';
import type { FileText } from '../../../src/git/read-texts.ts';
import { parseSpecs } from '../../../src/spec/load.ts';

const spec = (name: string, more = '') =>
  `name: ${name}\nrepository: acme/${name}\non: { push: {} }\nsteps: [{ run: 'true' }]\n${more}`;

/** What a pull request does to the specs `shop` and `site` in `specs/`. */
async function change(files: Record<string, FileText | undefined>, more: string[] = []) {
  const inUse = [parseSpecs('shop.yaml', spec('shop')), parseSpecs('site.yaml', spec('site'))];
  const specs = inUse.flatMap((one) => one.specs);
  const found = await readSpecChange(
    {
      catalog: {
        current: () => ({ specs, problems: [], loadedAt: 1, stale: false }),
        hooks: () => [],
      },
      stepLimits: {},
    },
    'specs',
    [...Object.keys(files), ...more],
    async (paths) =>
      new Map(
        paths.flatMap((path): [string, FileText][] => {
          const text = files[path];
          return text === undefined ? [] : [[path, text]];
        }),
      ),
  );
  return (
    found && {
      changed: found.changed.map(({ name, how }) => `${name} ${how}`),
      problems: found.problems.map(
        ({ file, line, column, message }) => `${file}:${line}:${column} ${message}`,
      ),
      warnings: found.warnings.map(({ file, message }) => `${file} ${message}`),
    }
  );
}

test('specs that are new, changed and removed are told, the others are as they are', async () => {
  const found = await change({
    'specs/shop.yaml': { text: spec('shop', 'timeout: 5m\n') },
    'specs/site.yaml': undefined,
    'specs/sub/docs.yml': { text: spec('docs') },
  });
  assert.deepEqual(found, {
    changed: ['docs new', 'shop changed', 'site removed'],
    problems: [],
    warnings: [],
  });
});

test('a spec that moves to another file is the same', async () => {
  const found = await change({
    'specs/shop.yaml': undefined,
    'specs/web/shop.yaml': { text: spec('shop') },
  });
  assert.deepEqual(found?.changed, []);
});

test('files that are no specs, or that the catalog passes over, change nothing', async () => {
  const others = ['shop.yaml', 'specs/README.md', 'specs/.hidden.yaml', 'specs/.git/a.yaml'];
  assert.equal(await change({}, others), undefined);
});

test('a problem has its place below the root, and a name used twice is one of the pull request', async () => {
  const found = await change({
    'specs/shop.yaml': { text: spec('shop', 'stepz: 1\n') },
    'specs/copy.yaml': { text: spec('site') },
    'specs/big.yaml': { problem: 'too large' },
    'specs/bytes.yaml': { problem: 'not UTF-8' },
  });
  assert.match(found?.problems.join('\n') ?? '', /^specs\/shop.yaml:5:1 /m);
  assert.match(
    found?.problems.join('\n') ?? '',
    /^specs\/copy.yaml:1:1 the name "site" is already used at specs\/site.yaml:1$/m,
  );
  assert.match(found?.problems.join('\n') ?? '', /^specs\/big.yaml:1:1 the file is larger/m);
  assert.match(found?.problems.join('\n') ?? '', /^specs\/bytes.yaml:1:1 the file is not UTF-8/m);
});

test('a link is not followed: the spec in use stays, and a warning says so', async () => {
  const found = await change({ 'specs/shop.yaml': { problem: 'no file' } });
  assert.deepEqual(found?.changed, []);
  assert.match(found?.warnings.join() ?? '', /^specs\/shop.yaml is a link/);
});

test('of many large files that a stranger may have written each is read in a turn of its own, and in all no more than 4 MiB', async () => {
  const slow = { text: '- a\n'.repeat(5000) };
  const turn = Promise.withResolvers<'others'>();
  setImmediate(() => turn.resolve('others'));
  const done = change({ 'specs/a.yaml': slow, 'specs/b.yaml': slow }).then(() => 'read' as const);
  assert.equal(await Promise.race([done, turn.promise]), 'others');
  await done;

  const files = Array.from({ length: 17 }, (_, index): [string, FileText] => [
    `specs/${index}.yaml`,
    { text: '#'.repeat(256 * 1024) },
  ]);
  await assert.rejects(change(Object.fromEntries(files)), { code: 'too-many-specs' });
});
