import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openAdminToken } from '../../src/app/admin-token.ts';
import { silentLogger } from '../../src/lib/logger.ts';

async function place(t: TestContext) {
  const dataDir = await mkdtemp(join(tmpdir(), 'mainsheet-token-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const open = (adminToken?: string) => openAdminToken({ dataDir, adminToken }, silentLogger);
  return { dataDir, open, file: join(dataDir, 'admin-token') };
}

test('a token that is set is the token, and none is made', async (t) => {
  const { open, dataDir } = await place(t);
  assert.equal(await open('set-by-the-operator'), 'set-by-the-operator');
  assert.deepEqual(await readdir(dataDir), []);
});

test('a start that was stopped while it made the token leaves nothing in the way of the next', async (t) => {
  const { open, dataDir, file } = await place(t);
  await writeFile(`${file}.new`, 'half', { mode: 0o644 });
  const token = await open();
  assert.notEqual(token, 'half');
  assert.equal(await readFile(file, 'utf8'), `${token}\n`);
  assert.deepEqual(await readdir(dataDir), ['admin-token']);
});

test('a token that others could read is made private again', async (t) => {
  const { open, file } = await place(t);
  const token = await open();
  await chmod(file, 0o664);
  assert.equal(await open(), token);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('what is no token, or is elsewhere, is never taken for one', async (t) => {
  const { open, file, dataDir } = await place(t);
  for (const text of [
    '',
    '\n',
    'two words of a person',
    'ümläut-ümläut-ümläut',
    'fifteen-letters',
  ]) {
    await writeFile(file, text);
    await assert.rejects(open(), { code: 'admin-token' }, JSON.stringify(text));
  }
  await rm(file);
  await writeFile(join(dataDir, 'other'), 'a-token-of-another');
  await symlink('other', file);
  await assert.rejects(open(), { code: 'admin-token' });
});
