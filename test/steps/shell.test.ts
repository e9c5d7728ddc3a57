import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { createLogLimit } from '../../src/lib/log-limit.ts';
import { createMasker } from '../../src/lib/masking.ts';
import { findShell } from '../../src/steps/shell.ts';
import { until } from '../support/until.ts';
import { isAlive, runScript } from './support.ts';

const linux = { skip: process.platform === 'linux' ? false : 'needs /proc' };

test('a script that ends with code 0 has succeeded, and its output is logged by stream', async (t) => {
  const attempt = await runScript(t, 'echo out; echo err >&2');
  assert.deepEqual(await attempt.result, { outcome: 'succeeded', exitCode: 0, outputs: {} });
  assert.equal(attempt.text('stdout'), 'out\n');
  assert.equal(attempt.text('stderr'), 'err\n');
});

test('much output is logged in small pieces, none of which ends within a character', async (t) => {
  const text = `x${'\u{1F6A2}'.repeat(5000)}`;
  const attempt = await runScript(t, `printf '%s' '${text}'`);
  await attempt.result;
  assert.equal(attempt.text('stdout'), text);
  const pieces = attempt.pieces.map((piece) => piece.text);
  assert.ok(pieces.every((piece) => piece.length <= 2049 && piece.isWellFormed()));
});

test('the script runs in the checkout and cannot read any input', async (t) => {
  const attempt = await runScript(t, 'pwd -P; cat');
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text(), `${attempt.directory}\n`);
});

test('a script fails at its first failing command, with the exit code in the reason', async (t) => {
  const attempt = await runScript(t, 'echo before\n(exit 3)\necho after');
  assert.deepEqual(await attempt.result, { outcome: 'failed', exitCode: 3, reason: 'exit code 3' });
  assert.equal(attempt.text(), 'before\n');
});

test('a failure inside a pipeline is a failure', async (t) => {
  const attempt = await runScript(t, 'false | cat\necho after');
  assert.deepEqual(await attempt.result, { outcome: 'failed', exitCode: 1, reason: 'exit code 1' });
});

test('the reason tells what an exit code or a signal means', async (t) => {
  const reasons = await Promise.all(
    ['no-such-command', './', 'kill -SEGV $$', '(kill -ABRT $BASHPID)', 'kill -KILL $$'].map(
      async (script) => {
        const result = await (await runScript(t, script)).result;
        return result.outcome === 'failed' ? result.reason : result.outcome;
      },
    ),
  );
  assert.deepEqual(reasons, [
    'exit code 127 (command not found)',
    'exit code 126 (command cannot be executed)',
    'killed by SIGSEGV',
    'exit code 134 (a command was killed by SIGABRT)',
    'killed by SIGKILL, perhaps for want of memory',
  ]);
});

test('where there is no bash, sh runs the script', async (t) => {
  const shell = { path: '/bin/sh', args: ['-e'] };
  const attempt = await runScript(t, 'echo "$0"\nfalse\necho after', { shell });
  assert.deepEqual(await attempt.result, { outcome: 'failed', exitCode: 1, reason: 'exit code 1' });
  assert.match(attempt.text(), /script\.sh\n$/);
});

test('bash is found first, then sh, and a machine with neither is told so', async (t) => {
  const found = await findShell();
  assert.match(found.path, /^\/.*bash$/);
  assert.deepEqual(found.args, ['-eo', 'pipefail']);

  const bin = await mkdtemp(join(tmpdir(), 'mainsheet-path-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  const module = fileURLToPath(new URL('../../src/steps/shell.ts', import.meta.url));
  const program = `import(${JSON.stringify(module)}).then((m) => m.findShell())
    .then((shell) => console.log(JSON.stringify(shell)), (error) => console.log(error.code, error.hint))`;
  const find = () =>
    execFileSync(process.execPath, ['-e', program], { env: { PATH: bin }, encoding: 'utf8' });
  assert.match(find(), /^no-shell install bash/);
  await symlink('/bin/sh', join(bin, 'sh'));
  assert.deepEqual(JSON.parse(find()), { path: join(bin, 'sh'), args: ['-e'] });
});

test('a shell that cannot be started is a failure of Mainsheet, not of the step', async (t) => {
  const attempt = await runScript(t, 'true', { shell: { path: '/no/such/shell', args: [] } });
  await assert.rejects(attempt.result, { name: 'MainsheetError', code: 'step-start' });
  const tooLarge = await runScript(t, 'true', { env: { HUGE: 'x'.repeat(200_000) } });
  await assert.rejects(tooLarge.result, { name: 'MainsheetError', code: 'step-start' });
});

test('the step sees exactly its environment', async (t) => {
  const env = { HOME: '/nowhere', TOKEN: 'a b', EMPTY: '', MAINSHEET_SHA: 'abc' };
  const attempt = await runScript(t, 'env -0', { env });
  await attempt.result;
  const seen = Object.fromEntries(
    attempt
      .text()
      .split('\0')
      .filter((entry) => entry !== '')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  // The shell's own.
  for (const name of ['PWD', 'SHLVL', '_', 'OLDPWD']) delete seen[name];
  assert.deepEqual(seen, {
    PATH: process.env['PATH'],
    ...env,
    MAINSHEET_OUTPUT: join(attempt.scratch, 'output'),
  });
});

test('values in the environment are never run as code', async (t) => {
  const hostile = '$(touch pwned)`touch pwned`; touch pwned\n"\'&& touch pwned #${IFS}';
  const attempt = await runScript(t, 'printf %s "$MAINSHEET_BRANCH"; ls', {
    env: { MAINSHEET_BRANCH: hostile },
  });
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text(), hostile);
});

test('neither the script nor a secret is in the process list', linux, async (t) => {
  const attempt = await runScript(t, `tr '\\0' ' ' < /proc/$$/cmdline # swordfish`, {
    env: { TOKEN: 'swordfish' },
  });
  await attempt.result;
  assert.match(attempt.text(), /bash -eo pipefail \S+\/script\.sh $/);
});

test('the script and the outputs are readable by their owner only', async (t) => {
  const attempt = await runScript(t, 'true');
  await attempt.result;
  for (const name of ['script.sh', 'output']) {
    assert.equal((await stat(join(attempt.scratch, name))).mode & 0o777, 0o600, name);
  }
});

test('/dev/stdout and /dev/stderr can be opened again', async (t) => {
  const attempt = await runScript(t, 'echo one | tee /dev/stderr; echo two > /dev/stdout');
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text('stdout'), 'one\ntwo\n');
  assert.equal(attempt.text('stderr'), 'one\n');
});

test('output is logged while the script runs, in the order in which it was written', async (t) => {
  const script = ['a', 'b', 'c', 'd', 'e', 'f']
    .map(
      (word, index) =>
        `echo ${word} ${index % 2 ? '>&2' : ''}; until [ -e ${word} ]; do sleep 0.01; done`,
    )
    .join('\n');
  const attempt = await runScript(t, script);
  for (const word of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await until(`${word} is logged`, () => attempt.text().endsWith(`${word}\n`));
    await writeFile(join(attempt.directory, word), '');
  }
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text(), 'a\nb\nc\nd\ne\nf\n');
  assert.deepEqual(
    attempt.pieces.map((piece) => piece.stream),
    ['stdout', 'stderr', 'stdout', 'stderr', 'stdout', 'stderr'],
  );
});

test('a character that arrives in two pieces is logged whole, and bytes that are none are replaced', async (t) => {
  const script = `printf 'sign: \\xe2\\x9c'; until [ -e go ]; do sleep 0.01; done; printf '\\x93 \\xff.'`;
  const attempt = await runScript(t, script);
  await until('the first piece is logged', () => attempt.text() === 'sign: ');
  await writeFile(join(attempt.directory, 'go'), '');
  await attempt.result;
  assert.equal(attempt.text(), 'sign: ✓ \ufffd.');
});

test('a step that takes too long is ended with everything it started', async (t) => {
  const script = 'sleep 1000 & echo $!; (sleep 1000; true) & echo $!; echo $$; wait';
  // Its time is over when it has started everything.
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => (ms === 1500 ? over : systemClock.sleep(ms, signal)),
  };
  const attempt = await runScript(t, script, { timeoutMs: 1500, killGraceMs: 5000, clock });
  const pidsOf = () => attempt.text('stdout').trim().split('\n').map(Number);
  await until('all run', () => pidsOf().length === 3);
  end();
  assert.deepEqual(await attempt.result, {
    outcome: 'timed-out',
    reason: 'it took longer than its 1.5s',
  });
  const pids = pidsOf();
  assert.deepEqual(pids.filter(isAlive), []);
});

test('a cancelled step may clean up, and says why it was cancelled', async (t) => {
  const script = `trap 'echo cleaned up; exit 0' TERM; echo ready; while :; do sleep 0.01; done`;
  const attempt = await runScript(t, script);
  await until('the script runs', () => attempt.text().includes('ready'));
  attempt.cancel({ kind: 'cancel', reason: 'cancelled by octocat' });
  assert.deepEqual(await attempt.result, { outcome: 'cancelled', reason: 'cancelled by octocat' });
  assert.match(attempt.text(), /cleaned up/);
});

test('a step that is cancelled before it starts never starts', async (t) => {
  const attempt = await runScript(t, 'touch started');
  attempt.cancel('not any more');
  assert.deepEqual(await attempt.result, { outcome: 'cancelled', reason: 'not any more' });
  assert.equal(attempt.text(), '');
});

test('processes that ignore SIGTERM are killed after the grace period', async (t) => {
  const script = `trap '' TERM; (trap '' TERM; echo $BASHPID; while :; do sleep 0.05; done) & echo $$; while :; do sleep 0.05; done`;
  const attempt = await runScript(t, script, { killGraceMs: 200 });
  await until('both run', () => attempt.text().split('\n').length === 3);
  const pids = attempt.text().trim().split('\n').map(Number);
  attempt.cancel('stop');
  assert.equal((await attempt.result).outcome, 'cancelled');
  assert.deepEqual(pids.filter(isAlive), []);
});

for (const [what, script] of [
  ['removed', 'rm -rf "$PWD"'],
  ['moved away', 'mv "$PWD" "$PWD-elsewhere"'],
  ['replaced', 'rm -rf "$PWD"; touch "$PWD"'],
  ['closed', 'chmod 0 "$PWD"'],
] as const) {
  test(`a step whose working directory was ${what} has failed, and so has the next one`, async (t) => {
    const attempt = await runScript(t, script);
    const reason = 'the working directory is gone';
    assert.deepEqual(await attempt.result, { outcome: 'failed', exitCode: 0, reason });
    const next = await runScript(t, 'echo never', {
      prepare: async (scratch) => await rm(join(scratch, '..', 'checkout'), { recursive: true }),
    });
    assert.deepEqual(await next.result, { outcome: 'failed', exitCode: undefined, reason });
    assert.equal(next.text(), '');
  });
}

test('what Mainsheet says after unfinished output starts a line', async (t) => {
  const attempt = await runScript(t, 'printf half; sleep 1000 &');
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.match(attempt.text(), /half\nMainsheet ends what/);
});

test('a process left in the background with the output open neither holds up the step nor outlives it', async (t) => {
  const script = `(trap '' TERM; echo $BASHPID; touch up; exec sleep 1000) & until [ -e up ]; do sleep 0.01; done; echo done`;
  const attempt = await runScript(t, script, { killGraceMs: 200 });
  assert.equal((await attempt.result).outcome, 'succeeded');
  const pid = Number(/^(\d+)$/m.exec(attempt.text('stdout'))?.[1]);
  assert.ok(pid > 0, attempt.text());
  assert.equal(isAlive(pid), false);
  assert.match(attempt.text('stderr'), /left in the background/);
});

test('a process left in the background without any output does not outlive the step', async (t) => {
  const attempt = await runScript(t, 'sleep 1000 > /dev/null 2>&1 & echo $!');
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(isAlive(Number(attempt.text('stdout'))), false);
});

test('what a script leaves behind may still finish its last lines', async (t) => {
  // As long as it takes on a busy machine.
  const sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms * 40, signal);
  const clock = { ...systemClock, sleep };
  const attempt = await runScript(t, '(sleep 0.1; echo late) & echo early', { clock });
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text(), 'early\nlate\n');
});

for (const [how, script] of [
  ['without output', 'setsid sh -c "echo \\$\\$ > pid; exec sleep 1000" > /dev/null 2>&1 &'],
  ['with the output open', 'setsid sh -c "echo \\$\\$ > pid; exec sleep 1000" &'],
  ['ignoring SIGTERM', `setsid bash -c "trap '' TERM; echo \\$\\$ > pid; exec sleep 1000" &`],
] as const) {
  test(
    `a process that left the process group does not outlive the step: ${how}`,
    linux,
    async (t) => {
      const wait = 'until [ -s pid ]; do sleep 0.01; done';
      const attempt = await runScript(t, `${script}\n${wait}`, { killGraceMs: 200 });
      assert.equal((await attempt.result).outcome, 'succeeded');
      const pid = Number(await readFile(join(attempt.directory, 'pid'), 'utf8'));
      assert.ok(pid > 0);
      assert.equal(isAlive(pid), false);
    },
  );
}

test('a process of another step is left alone', linux, async (t) => {
  const other = await runScript(t, 'echo ready; sleep 1000');
  await until('the other runs', () => other.text().includes('ready'));
  const attempt = await runScript(t, 'sleep 1000 &');
  assert.equal((await attempt.result).outcome, 'succeeded');
  other.cancel();
  assert.deepEqual(await other.result, {
    outcome: 'cancelled',
    reason: 'This operation was aborted',
  });
});

test('when the controller exits, a running step is killed with it', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-exit-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const source = (path: string) =>
    JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
  const program = `
    import { createShellStep, findShell } from ${source('steps/shell.ts')};
    import { createRunProgram } from ${source('steps/run-program.ts')};
    import { systemClock } from ${source('lib/clock.ts')};
    const shell = await findShell();
    createShellStep({ runProgram: createRunProgram({ clock: systemClock, shell }), shell })({
      step: { kind: 'shell', run: 'echo $$; sleep 1000' }, directory: ${JSON.stringify(root)},
      scratch: ${JSON.stringify(join(root, 'scratch'))}, env: { PATH: process.env.PATH },
      log: (stream, text) => process.stdout.write(text, () => process.exit(0)),
      signal: new AbortController().signal, timeoutMs: 60_000,
    });`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  const pid = Number(output);
  assert.ok(pid > 0, output);
  await until('the step is gone', () => !isAlive(pid));
});

test('when the log cannot be written, the step is ended and the error passed on', async (t) => {
  let pid = 0;
  const attempt = await runScript(t, 'echo $$; sleep 1000', {
    killGraceMs: 200,
    log: (_, text) => {
      pid = Number(text);
      throw new Error('disk full');
    },
  });
  await assert.rejects(attempt.result, { message: 'disk full' });
  assert.ok(pid > 0);
  assert.equal(isAlive(pid), false);
});

test('fifty megabytes of output pass through masking and the limit with bounded memory', async (t) => {
  const masker = createMasker(['swordfish']);
  const limit = createLogLimit({ maxBytes: 1024 * 1024 });
  let kept = '';
  const before = process.memoryUsage().rss;
  let peak = 0;
  const attempt = await runScript(
    t,
    `(yes 'the password is swordfish' || true) | head -c 52428800`,
    {
      log: (_, text) => {
        kept += limit.push(masker.push(text));
        peak = Math.max(peak, process.memoryUsage().rss - before);
      },
    },
  );
  assert.equal((await attempt.result).outcome, 'succeeded');
  const end = limit.flush() + masker.flush();
  assert.ok(peak < 80 * 1024 * 1024, `${peak} bytes more`);
  assert.equal(kept.length, 1024 * 1024);
  assert.ok(!kept.includes('swordfish') && !end.includes('swordfish'));
  assert.match(end, /… 3\d\.\d MiB of output left out/);
});

test('a step that never stops printing can be cancelled, and other work goes on meanwhile', async (t) => {
  const attempt = await runScript(t, 'yes', { log: () => {} });
  let turns = 0;
  await until('the event loop turns', () => (turns += 1) > 20);
  attempt.cancel('enough');
  assert.deepEqual(await attempt.result, { outcome: 'cancelled', reason: 'enough' });
});

test('outputs are what the script wrote into MAINSHEET_OUTPUT', async (t) => {
  const attempt = await runScript(
    t,
    `echo "version=1.2.3" >> "$MAINSHEET_OUTPUT"
    { echo "notes<<EOF"; echo "one"; echo "two = 2"; echo "EOF"; } >> "$MAINSHEET_OUTPUT"`,
  );
  assert.deepEqual(await attempt.result, {
    outcome: 'succeeded',
    exitCode: 0,
    outputs: { version: '1.2.3', notes: 'one\ntwo = 2' },
  });
});

test('outputs that cannot be read fail the step, naming the line but not what it says', async (t) => {
  const attempt = await runScript(t, `printf 'a=1\\nsw0rdfish\\n' >> "$MAINSHEET_OUTPUT"`);
  assert.deepEqual(await attempt.result, {
    outcome: 'failed',
    exitCode: 0,
    reason: 'line 2 of the outputs is neither name=value nor name<<DELIMITER',
  });
});

test('links that a former attempt left in the place of the files of a step are not followed', async (t) => {
  const victims = await mkdtemp(join(tmpdir(), 'mainsheet-victims-'));
  t.after(() => rm(victims, { recursive: true, force: true }));
  const names = ['script.sh', 'output'];
  const attempt = await runScript(t, 'echo a=1 > "$MAINSHEET_OUTPUT"', {
    prepare: async (scratch) => {
      for (const name of names) {
        await writeFile(join(victims, name), 'unharmed');
        await symlink(join(victims, name), join(scratch, name));
      }
    },
  });
  assert.equal((await attempt.result).outcome, 'succeeded');
  for (const name of names) assert.equal(await readFile(join(victims, name), 'utf8'), 'unharmed');
});

test('a link that the script puts in the place of its outputs is not followed', async (t) => {
  const attempt = await runScript(t, 'echo a=1 > real; ln -sf "$PWD/real" "$MAINSHEET_OUTPUT"');
  assert.deepEqual(await attempt.result, {
    outcome: 'failed',
    exitCode: 0,
    reason: 'the file of the outputs could not be opened: the step changed it',
  });
});
