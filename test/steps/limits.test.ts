import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findShell } from '../../src/steps/shell.ts';
import { createLimitBlame, underLimits } from '../../src/steps/limited-shell.ts';
import { newStore } from '../support/new-store.ts';
import { needsRoot, STEP_USER } from '../support/root.ts';
import { isAlive, runScript } from './support.ts';

const TIME_LIMIT = { timeout: 300_000 };
const MI = 2 ** 20;
const linux = process.platform === 'linux' ? {} : { skip: 'other systems keep other limits' };
const SHELLS = { bash: undefined, sh: { path: '/bin/sh', args: ['-e'] } };

for (const [name, shell] of Object.entries(SHELLS)) {
  const using = shell === undefined ? {} : { shell };

  test(
    `${name}: a step that computes too long is stopped, and the reason names the limit`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const attempt = await runScript(t, 'while :; do :; done', { limits: { cpu: 1 }, ...using });
      const result = await attempt.result;
      assert.equal(result.outcome, 'failed');
      assert.match(result.reason, /, cpu limit of 1\.0s reached$/);
    },
  );

  test(
    `${name}: a program of a step that computes too long is stopped too`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const script = `echo $$; ${JSON.stringify(process.execPath)} -e 'for (;;);'`;
      const attempt = await runScript(t, script, { limits: { cpu: 1 }, ...using });
      const result = await attempt.result;
      assert.equal(result.outcome, 'failed');
      assert.match(
        result.reason,
        /^exit code 152 \(a command was killed by SIGXCPU\), cpu limit of 1\.0s reached$/,
      );
      assert.equal(isAlive(Number(attempt.text('stdout'))), false);
    },
  );

  test(
    `${name}: a step that takes too much memory fails, and the reason names the limit`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const script = 'echo $$; dd if=/dev/zero of=/dev/null bs=256M count=1';
      const fine = await runScript(t, script, { ...using });
      assert.equal((await fine.result).outcome, 'succeeded', 'without the limit it works');
      const attempt = await runScript(t, script, { limits: { memory: 128 * MI }, ...using });
      const result = await attempt.result;
      assert.equal(result.outcome, 'failed');
      assert.match(result.reason, /^exit code 1, perhaps for the memory limit of 128Mi$/);
    },
  );

  test(
    `${name}: a step that opens too many files fails, and the reason names the limit`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const script = `[ "$(ulimit -H -n)" = 24 ]
      ${JSON.stringify(process.execPath)} -e 'const fs = require("fs"); for (let i = 0; i < 100; i++) fs.openSync("/dev/null");'`;
      const attempt = await runScript(t, script, { limits: { files: 24 }, ...using });
      const result = await attempt.result;
      assert.equal(result.outcome, 'failed', attempt.text());
      assert.match(result.reason, /perhaps for the files limit of 24$/);
    },
  );

  test(
    `${name}: a step that starts too many processes fails, and none of them is left`,
    { ...needsRoot, ...TIME_LIMIT },
    async (t) => {
      const script = `sh -c 'i=0; while [ $i -lt 100 ]; do sleep 1000 & echo $!; i=$((i+1)); done; wait'`;
      const user = { uid: 61_240, gid: STEP_USER.gid };
      const attempt = await runScript(t, script, {
        limits: { processes: 8 },
        user,
        killGraceMs: 500,
        timeoutMs: 15_000,
        ...using,
      });
      const result = await attempt.result;
      assert.equal(result.outcome, 'failed', attempt.text());
      assert.match(result.reason, /perhaps for the processes limit of 8$/);
      const pids = attempt.text('stdout').trim().split('\n').map(Number);
      assert.ok(pids.length < 10 && pids.length > 2, `${pids.length}`);
      assert.deepEqual(pids.filter(isAlive), []);
    },
  );

  test(
    `${name}: what a spec does not limit the operator does, and a spec never gets more`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const attempt = await runScript(
        t,
        'ulimit -H -n; ulimit -S -n; ulimit -v; ulimit -S -t; ulimit -H -t',
        {
          limits: { files: 1000, cpu: 60 },
          allowed: { files: 64, memory: 4096 * MI },
          ...using,
        },
      );
      assert.equal((await attempt.result).outcome, 'succeeded', attempt.text());
      assert.equal(attempt.text(), `64\n64\n${4096 * 1024}\n60\n65\n`);
    },
  );

  test(
    `${name}: a limit above the one that is in force already changes nothing`,
    { ...linux, ...TIME_LIMIT },
    async (t) => {
      const inner = underLimits({ files: 900 }, '/bin/sh', ['-c', 'ulimit -n']);
      const command = [inner.path, ...inner.args]
        .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
        .join(' ');
      const attempt = await runScript(t, `cd /; ${command}`, { limits: { files: 64 }, ...using });
      await attempt.result;
      assert.equal(attempt.text(), '64\n');
    },
  );
}

test(
  'where a limit cannot be set the step is not run without it',
  { ...linux, ...TIME_LIMIT },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'mainsheet-shell-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const path = join(directory, 'shell');
    // Called as `shell -c text name arguments…`: a shell that knows of no limits.
    const unable = `#!/bin/sh\nulimit() { return 1; }\ntext=$2\nshift 3\neval "$text"\n`;
    await writeFile(path, unable, { mode: 0o755 });
    const attempt = await runScript(t, 'echo it runs', {
      limits: { memory: 128 * MI },
      shell: { path, args: [] },
    });
    assert.deepEqual(await attempt.result, {
      outcome: 'failed',
      exitCode: 125,
      reason: 'exit code 125',
    });
    assert.equal(attempt.text(), 'Mainsheet cannot set the limit ulimit -v 131072\n');
  },
);

test('a step without limits is started without anything in between', async () => {
  const { path, args } = await findShell();
  assert.deepEqual(underLimits({}, path, args), { path, args });
});

test(
  'a failure that has nothing to do with a limit is not blamed on one',
  TIME_LIMIT,
  async (t) => {
    const limits = { cpu: 60, memory: 4096 * MI, files: 100 };
    const attempt = await runScript(t, 'echo "no" >&2; exit 3', { limits });
    assert.deepEqual(await attempt.result, {
      outcome: 'failed',
      exitCode: 3,
      reason: 'exit code 3',
    });
    const other = await runScript(t, 'echo "Too many open files" >&2; exit 3');
    assert.deepEqual(await other.result, { outcome: 'failed', exitCode: 3, reason: 'exit code 3' });
  },
);

test(
  'a step has its three files open and none of the controller’s, and its input is /dev/null',
  {
    ...linux,
    ...TIME_LIMIT,
  },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'mainsheet-open-'));
    const store = await newStore(join(directory, 'mainsheet.db'));
    const server = createServer().listen(0, '127.0.0.1');
    t.after(async () => {
      server.close();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    });
    const attempt = await runScript(
      t,
      `${JSON.stringify(process.execPath)} -e '
      const fs = require("fs");
      for (const fd of fs.readdirSync("/proc/" + process.ppid + "/fd"))
        console.log(fd, fs.readlinkSync("/proc/" + process.ppid + "/fd/" + fd));'; true`,
    );
    assert.equal((await attempt.result).outcome, 'succeeded');
    // What started the tests may have left something open for all.
    const lines = attempt.text('stdout').trim().split('\n');
    const open = lines.filter((line) => {
      const [fd = '', ...target] = line.split(' ');
      return Number(fd) < 3 || linkOf(`/proc/${process.ppid}/fd/${fd}`) !== target.join(' ');
    });
    assert.equal(open[0], '0 /dev/null');
    assert.match(open[1] ?? '', /^1 .*scratch\/pipe-0 /);
    assert.match(open[2] ?? '', /^2 .*scratch\/pipe-1 /);
    // 255: bash keeps the script there.
    assert.match(open[3] ?? '', /^255 .*script\.sh$/);
    assert.equal(open.length, 4, open.join('\n'));
  },
);

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

test('what the system refused is seen also where the pipe cut the words in two', () => {
  const watch = createLimitBlame({ files: 64 });
  watch.see('cannot open x: Too many op');
  assert.equal(watch.blame({ exitCode: 1, signal: null }), '');
  watch.see('en files\n');
  assert.equal(watch.blame({ exitCode: 1, signal: null }), 'perhaps for the files limit of 64');
});

for (const ended of [
  { exitCode: null, signal: 'SIGSEGV' },
  { exitCode: 139, signal: null },
  { exitCode: 134, signal: null },
]) {
  test(`a crash (${ended.signal ?? ended.exitCode}) under a memory limit may be for it, and without one is not`, () => {
    const blame = (memory: object) => createLimitBlame(memory).blame(ended);
    assert.equal(blame({ memory: 64 * MI }), 'perhaps for the memory limit of 64Mi');
    assert.equal(blame({ files: 64 }), '');
    assert.equal(createLimitBlame({ memory: MI }).blame({ exitCode: 1, signal: null }), '');
  });
}
