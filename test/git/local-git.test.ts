import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createLocalGit, type LocalGit } from '../../src/git/git-process.ts';
import { keepFile } from '../../src/git/git-directory.ts';
import { commandLines, until } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };

interface Fake {
  git: LocalGit;
  /** Where git runs. */
  directory: string;
  /** Resolves with what the script wrote into the file `pid`. */
  pid: () => Promise<number>;
  /** Resolves when the script runs no more. */
  gone: () => Promise<void>;
}

/** git is this shell script, run in a directory of its own. */
async function fakeGit(t: TestContext, script: string, timeoutMs = 60_000): Promise<Fake> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-local-git-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  // Apart from the git directory, out of which everything goes that is not git's.
  const bin = join(root, 'bin');
  const directory = join(root, 'repository');
  for (const made of [bin, directory]) await mkdir(made);
  await writeFile(join(bin, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const environment = { PATH: `${bin}:${process.env['PATH']}` };
  const limits = { timeoutMs, maxBytes: 1000, killAfterMs: 100 };
  const git = createLocalGit({ environment, ...limits });

  const readPid = async () => Number(await readFile(join(directory, 'pid'), 'utf8').catch(() => 0));
  async function pid(): Promise<number> {
    await until(async () => (await readPid()) > 0);
    return await readPid();
  }
  async function gone(): Promise<void> {
    await until(async () => !(await commandLines()).some((line) => line.includes(bin)));
  }
  return { git, directory, pid, gone };
}

/** Goes on whatever it is told. */
const DEAF = `trap '' TERM INT; echo $$ > pid; head -c "\${BYTES:-0}" /dev/zero; while :; do sleep 1; done`;

test('a git that does not end on SIGTERM is killed when its time is up', TIME_LIMIT, async (t) => {
  const { git, directory, gone } = await fakeGit(t, DEAF, 500);
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory });
  await assert.rejects(call, { name: 'RetryableError', code: 'git-timeout' });
  await gone();
});

test('a git that does not end on SIGTERM is killed on abort', TIME_LIMIT, async (t) => {
  const { git, directory, pid, gone } = await fakeGit(t, DEAF);
  const { signal, abort } = aborting();
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory, signal });
  await pid();
  abort();
  await assert.rejects(call, { name: 'RetryableError', code: 'git-stopped' });
  await gone();
});

test('a git that is suspended is killed on abort', TIME_LIMIT, async (t) => {
  const { git, directory, pid, gone } = await fakeGit(t, 'echo $$ > pid; kill -STOP $$');
  const { signal, abort } = aborting();
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory, signal });
  await pid();
  abort();
  await assert.rejects(call, { name: 'RetryableError', code: 'git-stopped' });
  await gone();
});

test('what git has started is ended with it', TIME_LIMIT, async (t) => {
  const script = `sh -c 'echo $$ > pid; while :; do sleep 1; done' "$0" > /dev/null & wait`;
  const { git, directory, pid, gone } = await fakeGit(t, script);
  const { signal, abort } = aborting();
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory, signal });
  await pid();
  abort();
  await assert.rejects(call, { code: 'git-stopped' });
  await gone();
});

test(
  'a call is over even when a process out of reach holds the output of git',
  TIME_LIMIT,
  async (t) => {
    const script = `setsid sh -c 'echo $$ > pid; exec sleep 1000' & exit 0`;
    const { git, directory, pid } = await fakeGit(t, script);
    const { signal, abort } = aborting();
    const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory, signal });
    const holder = await pid();
    t.after(() => process.kill(holder, 'SIGKILL'));
    abort();
    await assert.rejects(call, { code: 'git-stopped' });
    assert.ok(process.kill(holder, 0), 'it was out of reach indeed');
  },
);

test('a git that writes too much is killed if need be', TIME_LIMIT, async (t) => {
  const { git, directory, gone } = await fakeGit(t, `BYTES=2000; ${DEAF}`);
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory });
  await assert.rejects(call, { name: 'TerminalError', code: 'git-too-large' });
  await gone();
});

test('output is given byte for byte, with an exit code that is accepted', TIME_LIMIT, async (t) => {
  const { git, directory } = await fakeGit(t, `printf '\\377\\000\\n'; exit 3`);
  const call = { doing: 'reading', args: ['status'], gitDirectory: directory };
  const { exitCode, stdout } = await git({ ...call, accept: [0, 3] });
  assert.deepEqual([exitCode, [...stdout]], [3, [0xff, 0, 0x0a]]);
  await assert.rejects(git(call), { name: 'RetryableError', code: 'git-failed' });
});

test('a git that is not there is a TerminalError', TIME_LIMIT, async (t) => {
  const { directory } = await fakeGit(t, '');
  const environment = { PATH: '/nonexistent' };
  const git = createLocalGit({ environment, timeoutMs: 60_000, maxBytes: 1000, killAfterMs: 100 });
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: directory });
  await assert.rejects(call, { name: 'TerminalError', code: 'git-missing' });
});

test('a directory that is not there is not taken for a missing git', TIME_LIMIT, async (t) => {
  const { git, directory } = await fakeGit(t, '');
  const call = git({ doing: 'reading', args: ['status'], gitDirectory: join(directory, 'gone') });
  await assert.rejects(call, { name: 'RetryableError', code: 'git-failed' });
});

test(
  'with no file descriptor left a call fails, and the process goes on',
  TIME_LIMIT,
  async (t) => {
    const { directory } = await fakeGit(t, '');
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { createLocalGit } from ${JSON.stringify(import.meta.resolve('../../src/git/git-process.ts'))};
      const git = createLocalGit({ environment: process.env, timeoutMs: 60_000, maxBytes: 1000, killAfterMs: 100 });
      const call = { doing: 'reading', args: ['version'], gitDirectory: process.argv[1] };
      const open = [];
      try { for (;;) open.push(openSync('/dev/null')); } catch {}
      const error = await git(call).catch((error) => error);
      for (const fd of open) closeSync(fd);
      const { exitCode } = await git(call);
      console.log([error.name, error.code, error.cause.code, exitCode].join(' '));
    `;
    const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath];
    const args = [...limited, '--input-type=module', '-e', script, directory];
    const { stdout } = await promisify(execFile)('/bin/sh', args);
    assert.equal(stdout, 'RetryableError git-failed EMFILE 0\n');
  },
);

test('a configuration that has become a pipe is written again', TIME_LIMIT, async (t) => {
  const { directory } = await fakeGit(t, '');
  const config = join(directory, 'config');
  await promisify(execFile)('mkfifo', [config]);
  await keepFile(config, 'ours');
  assert.equal(await readFile(config, 'utf8'), 'ours');
});

function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('shutting down')) };
}
