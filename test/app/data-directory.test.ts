import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { git } from '../../demo/git.ts';
import { makeDataDirectory } from '../../src/app/data-directory.ts';
import { silentLogger } from '../../src/lib/logger.ts';

test('what is in a data directory is in no commit, also when it stands in a clone', async (t) => {
  const clone = await mkdtemp(join(tmpdir(), 'mainsheet-data-'));
  t.after(() => rm(clone, { recursive: true, force: true }));
  const inClone = (...args: string[]) => git({ directory: clone, args });
  await inClone('init', '-q');
  const dataDir = join(clone, 'data');
  await makeDataDirectory({ dataDir, stepUser: undefined }, silentLogger);
  await writeFile(join(dataDir, 'admin-token'), 'secret');
  await writeFile(join(clone, 'site.yaml'), '');
  await inClone('add', '--all');
  assert.equal(await inClone('ls-files'), 'site.yaml');
});

test('a data directory is made with all above it; one that no directory can be made for is refused at once', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-data-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const make = (dataDir: string) =>
    makeDataDirectory({ dataDir, stepUser: undefined }, silentLogger);
  const deep = join(root, 'some', 'where', 'data');
  await make(deep);
  await make(deep);
  assert.equal((await stat(deep)).mode & 0o777, 0o700);

  await writeFile(join(root, 'file'), '');
  for (const dataDir of [
    '/proc/foo',
    '/proc/foo/data',
    join(root, 'file'),
    join(root, 'file', 'x'),
  ]) {
    await assert.rejects(
      make(dataDir),
      { code: 'data-directory', hint: /MAINSHEET_DATA_DIR/ },
      dataDir,
    );
  }
});
