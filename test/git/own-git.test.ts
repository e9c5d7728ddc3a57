import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openGit } from '../../src/git/own-git.ts';

/** git is this shell script. */
async function open(t: TestContext, script: string, signal?: AbortSignal) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-own-git-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${directory}:${process.env['PATH']}`, GIT_CONFIG_GLOBAL: '/dev/null' };
  return await openGit({ directory, env, signal });
}

test('a git that ends with another code than 0 has failed, with its words or without', async (t) => {
  await assert.rejects((await open(t, 'echo "no such thing" >&2; exit 128')).raw('x'), /no such/);
  await assert.rejects((await open(t, 'exit 1')).raw('x'), /git ended with 1/);
});

test('all that git writes is given, also what comes after it has ended', async (t) => {
  const git = await open(t, '(sleep 0.2; echo late) & echo early');
  assert.equal(await git.raw('x'), 'early\nlate\n');
});

test('git has the environment that it is given and no other', async (t) => {
  process.env['MAINSHEET_CANARY'] = 'x';
  t.after(() => delete process.env['MAINSHEET_CANARY']);
  const names: string[] = (await (await open(t, 'env')).raw('x')).match(/^[A-Z_]+(?==)/gm) ?? [];
  assert.ok(names.includes('GIT_CONFIG_GLOBAL') && !names.includes('MAINSHEET_CANARY'));
});

test('an abort ends git', async (t) => {
  const controller = new AbortController();
  const git = await open(t, 'exec sleep 1000', controller.signal);
  const call = git.raw('x');
  setImmediate(() => controller.abort());
  await assert.rejects(call, /[Aa]bort/);
});
