import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import type { SshStepSpec } from '../../src/spec/steps/ssh.ts';
import type { StepResult } from '../../src/steps/contract.ts';
import { createSshStep } from '../../src/steps/ssh.ts';
import { createFrames } from '../../src/steps/ssh-frames.ts';
import { shellInput } from '../../src/steps/ssh-once.ts';
import { followInput, greetingOf, stopInput } from '../../src/steps/ssh-program.ts';
import { createTargets } from '../../src/steps/targets.ts';
import { until } from '../support/until.ts';
import { isAlive } from './support.ts';
import { MACHINES, newKey, startLibrary, type Machine } from './ssh-servers.ts';

const HOSTILE = [
  `'; touch /tmp/owned; '`,
  `'\\''`,
  '$(touch /tmp/owned) `touch /tmp/owned` $HOME',
  'two\nlines\r\n\ttab',
  '\\',
  '!!"#&*?[]{}~;|<>',
  'ü ✓ \u{1f600}',
  '',
];

interface How {
  run: string;
  hostKey?: string;
  key?: string;
  user?: string;
  host?: string;
  allowed?: string[];
  env?: Record<string, string>;
  written?: Record<string, string>;
  timeoutMs?: number;
  killGraceMs?: number;
  resume?: boolean;
  /** What the step has kept, and keeps. */
  disk?: { kept?: string | undefined };
}

interface Attempt {
  result: Promise<StepResult>;
  text(stream?: string): string;
  cancel(): void;
  /** As when the controller stops. */
  interrupt(): void;
}

function start(machine: Machine, how: How): Attempt {
  const { specs, problems } = parseSpecs(
    'x.yaml',
    `name: x\nrepository: a/b\non: push\nsecrets: [KEY]\nsteps:\n  - ssh: ${JSON.stringify({
      host: how.host ?? '127.0.0.1',
      port: machine.port,
      user: how.user ?? machine.user,
      key: 'KEY',
      'host-key': how.hostKey ?? machine.hostKeys.ed25519,
      run: how.run,
      resume: how.resume,
    })}\n`,
  );
  assert.deepEqual(problems, []);
  const step = specs[0]?.spec.steps[0];
  assert.ok(step?.kind === 'ssh');
  const pieces: { stream: string; text: string }[] = [];
  const controller = new AbortController();
  const kind = createSshStep({
    targets: createTargets(how.allowed ?? ['127.0.0.0/8']),
    clock: {
      ...systemClock,
      // Before it connects again.
      sleep: (ms, signal) => systemClock.sleep(ms === 5000 ? 50 : ms, signal),
    },
    killGraceMs: how.killGraceMs ?? 1000,
  });
  return {
    result: kind({
      step: step as SshStepSpec,
      attemptId: 'r1-1-1',
      directory: '/',
      scratch: '/',
      env: { ...how.env, ...how.written },
      written: how.written ?? {},
      values: {},
      secrets: { KEY: how.key ?? machine.privateKey },
      kept: how.disk?.kept,
      keep: async (text) => {
        if (how.disk !== undefined) how.disk.kept = text;
      },
      logAndKeep: async (text, keptOf, stream = 'stdout') => {
        pieces.push({ stream, text });
        if (how.disk !== undefined) how.disk.kept = keptOf(0);
      },
      log: (stream, text) => pieces.push({ stream, text }),
      signal: controller.signal,
      timeoutMs: how.timeoutMs ?? 60_000,
    }),
    text: (stream) =>
      pieces
        .filter((piece) => stream === undefined || piece.stream === stream)
        .map((piece) => piece.text)
        .join(''),
    cancel: () => controller.abort({ kind: 'cancel', reason: 'not wanted any more' }),
    interrupt: () => controller.abort({ kind: 'interrupt' }),
  };
}

async function reasonOf(attempt: Attempt): Promise<string> {
  const result = await attempt.result;
  assert.ok(result.outcome === 'failed', JSON.stringify(result));
  return result.reason;
}

for (const { name, start: startMachine, skip } of MACHINES) {
  describe(`on a machine with ${name}`, { skip }, () => {
    const on = async (t: TestContext, how: How) => start(await startMachine(t), how);

    // Without it the shell is told the same, whatever the server is.
    for (const resume of name === 'OpenSSH' ? [true] : [true, false]) {
      describe(resume ? 'apart from its connection' : 'with "resume: false"', () => {
        test('a script runs with its values, and its output is the log', async (t) => {
          const written = Object.fromEntries(HOSTILE.map((value, index) => [`V${index}`, value]));
          const attempt = await on(t, {
            resume,
            run: `cat\nfor name in ${Object.keys(written).join(' ')}; do eval "printf '%s|' \\"\\$$name\\""; done
cat <<'END'
it's "$MAINSHEET_SHA"
END
echo "$MAINSHEET_SHA \${MAINSHEET_OUTPUT-none} \${OTHER-none} $(umask)" >&2`,
            env: {
              MAINSHEET_SHA: 'abc',
              MAINSHEET_OUTPUT: '/tmp/output',
              OTHER: 's3cret',
              HOME: '/nowhere',
            },
            written,
          });
          const succeeded = { outcome: 'succeeded', exitCode: 0, outputs: {} };
          assert.deepEqual(await attempt.result, succeeded);
          const expected = `${HOSTILE.join('|')}|it's "$MAINSHEET_SHA"\n`;
          assert.equal(attempt.text('stdout'), expected);
          const umask = process.umask().toString(8).padStart(4, '0');
          assert.equal(attempt.text('stderr'), `abc none none ${umask}\n`);
        });

        test('the exit status decides, and the first command that fails ends the script', async (t) => {
          const attempt = await on(t, { resume, run: 'sh -c "exit 7"\necho never' });
          const result = await attempt.result;
          assert.deepEqual(result, { outcome: 'failed', exitCode: 7, reason: 'exit code 7' });
          assert.equal(attempt.text(), '');
        });

        test('all of a long output comes', async (t) => {
          const attempt = await on(t, {
            resume,
            run: 'head -c 5000000 /dev/zero | tr "\\0" x; echo; echo end',
          });
          assert.equal((await attempt.result).outcome, 'succeeded');
          assert.equal(attempt.text().length, 5_000_005);
        });

        test('what ignores that is killed', async (t) => {
          const run = `trap '' TERM; echo "pid:$(sh -c 'echo $PPID')"; while :; do sleep 0.1; done`;
          const attempt = await on(t, { resume, run, killGraceMs: 10 });
          const pid = await until('the script runs', () => /pid:(\d+)\n/.exec(attempt.text())?.[1]);
          attempt.cancel();
          assert.equal((await attempt.result).outcome, 'cancelled');
          await until('it has ended', () => !isAlive(Number(pid)));
        });

        test('what the script left in the background is not waited for', async (t) => {
          const attempt = await on(t, { resume, run: 'sleep 60 & echo "pid:$!"' });
          assert.equal((await attempt.result).outcome, 'succeeded');
          process.kill(Number(/pid:(\d+)\n/.exec(attempt.text())?.[1]));
        });
      });
    }

    for (const resume of [true, false]) {
      test(`a cancelled step ends what runs there${resume ? '' : ', with "resume: false"'}`, async (t) => {
        const run = 'echo "pid:$$"; sleep 1000; echo never';
        const attempt = await on(t, { resume, run });
        const pid = await until('the script runs', () => /pid:(\d+)\n/.exec(attempt.text())?.[1]);
        attempt.cancel();
        const result = await attempt.result;
        assert.deepEqual(result, { outcome: 'cancelled', reason: 'not wanted any more' });
        await until('it has ended', () => !isAlive(Number(pid)));
        assert.equal(attempt.text(), `pid:${pid}\n`);
      });
    }

    test('a script goes on, once, through a broken connection and a restart, and its lines are logged once', async (t) => {
      const machine = await startMachine(t);
      const gate = join(machine.state, '..');
      const disk = {};
      const run = `echo "pid:$$"; echo begun >>"$GATE/starts"; echo ü >&2
for part in 1 2 3; do until [ -e "$GATE/$part" ]; do sleep 0.02; done; echo "part $part"; done; exit 3`;
      const how = { run, written: { GATE: gate, TOKEN: 'hunter2' }, disk };
      const open = async (part: number) => await writeFile(join(gate, String(part)), '');
      const first = start(machine, how);
      await until(
        'the script runs',
        () => first.text().includes('pid:') && first.text('stderr') !== '',
      );
      machine.cut();
      await open(1);
      await until('it is followed again', () => first.text().includes('part 1\n'));
      const keeper = await keptThere(machine);
      assert.doesNotMatch(keeper.text, /hunter2/);
      assert.equal(keeper.mode, 0o700);
      first.interrupt();
      assert.equal((await first.result).outcome, 'cancelled');
      await open(2);
      const second = start(machine, how);
      await until('it is followed again', () => second.text().includes('part 2\n'));
      await open(3);
      const result = await second.result;
      assert.deepEqual(result, { outcome: 'failed', exitCode: 3, reason: 'exit code 3' });
      const pid = /pid:(\d+)/.exec(first.text())?.[1];
      const whole = first.text('stdout') + second.text('stdout');
      assert.equal(whole, `pid:${pid}\npart 1\npart 2\npart 3\n`);
      assert.match(first.text('stderr'), /^ü\n.* ended before the script did; connecting again\n$/);
      assert.equal(second.text('stderr'), 'Going on with what was started before\n');
      assert.equal(await readFile(join(gate, 'starts'), 'utf8'), 'begun\n');
      assert.deepEqual(await readdir(machine.state), [], 'it is forgotten there');
      const third = start(machine, how);
      assert.deepEqual(await third.result, result);
      assert.equal(third.text(), '', 'what is over is not asked for');
    });

    test('a script that was killed there is said to have been', async (t) => {
      const machine = await startMachine(t);
      const attempt = start(machine, { run: 'kill -s KILL $$; sleep 60' });
      assert.match(await reasonOf(attempt), /without an exit status: it was killed there, or/);
    });

    test('with "resume: false" a connection that breaks fails the step, and ends the script', async (t) => {
      const machine = await startMachine(t);
      const attempt = start(machine, { run: 'echo "pid:$$"; sleep 1000', resume: false });
      const pid = await until('the script runs', () => /pid:(\d+)\n/.exec(attempt.text())?.[1]);
      machine.cut();
      assert.match(
        await reasonOf(attempt),
        /127\.0\.0\.1 ended before the script did: it may go on/,
      );
      process.kill(-Number(pid));
    });

    test('a machine with another key is sent nothing, and its key is in the reason', async (t) => {
      const machine = await startMachine(t);
      const other = newKey().public.trim();
      const reason = await reasonOf(start(machine, { run: 'true', hostKey: other }));
      assert.match(reason, /127\.0\.0\.1 has another key than the spec says: ssh-ed25519 SHA256:/);
      const shown = /SHA256:\S{43}/.exec(reason)?.[0];
      const known = start(machine, { run: 'true', hostKey: shown ?? '' });
      assert.equal((await known.result).outcome, 'succeeded');
    });

    test('of several keys of a machine it shows the one that is known', async (t) => {
      const machine = await startMachine(t);
      const attempt = start(machine, { run: 'true', hostKey: machine.hostKeys.rsa });
      assert.equal((await attempt.result).outcome, 'succeeded');
    });

    test('a user whose key is not known is not let in', async (t) => {
      const machine = await startMachine(t);
      assert.equal(
        await reasonOf(start(machine, { run: 'true', key: newKey().private })),
        `127.0.0.1 does not let ${machine.user} in with the key KEY: All configured authentication methods failed`,
      );
    });
  });
}

for (const { name, how, why } of [
  {
    name: 'does its own command',
    how: { command: 'echo hello; exit 1' },
    why: 'it does not do what a shell is told',
  },
  {
    name: 'has no place for it',
    how: { home: '/proc/none' },
    why: '/proc/none/.local/state/mainsheet cannot be written to',
  },
]) {
  test(`a machine that ${name} fails the step, which says how it is to be written`, async (t) => {
    const machine = await startLibrary(t, how);
    assert.equal(
      await reasonOf(start(machine, { run: 'true' })),
      `127.0.0.1 cannot keep a script apart from its connection: ${why} (with "resume: false" it ends with the connection)`,
    );
  });
}

/** All that a machine keeps of one script, and who may read it. */
async function keptThere({ state }: Machine): Promise<{ text: string; mode: number }> {
  const [id = ''] = await readdir(state);
  const names = await readdir(join(state, id));
  const texts = await Promise.all(names.map((file) => readFile(join(state, id, file), 'utf8')));
  return { text: texts.join(''), mode: (await stat(join(state, id))).mode & 0o777 };
}

describe('before a connection', () => {
  const nowhere: Machine = {
    port: 22,
    user: 'deploy',
    privateKey: newKey().private,
    hostKeys: { ed25519: newKey().public.trim(), rsa: '' },
    state: '',
    cut() {},
  };

  test('this machine is not asked unless the operator allows it, by whatever name', async () => {
    for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'localhost', '169.254.169.254']) {
      const reason = await reasonOf(start(nowhere, { host, run: 'true', allowed: [] }));
      assert.match(
        reason,
        /is this machine, or one that only it may ask \(.*MAINSHEET_STEP_TARGETS/,
      );
    }
  });

  test('what is no key is named, and not shown', async () => {
    const reason = await reasonOf(start(nowhere, { run: 'true', key: 'hunter2' }));
    assert.equal(reason, 'the secret KEY cannot be used as a key: Unsupported key format');
  });

  test('a machine that says nothing takes the time of the step, and no more', async (t) => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    assert.deepEqual(await start({ ...nowhere, port }, { run: 'true', timeoutMs: 50 }).result, {
      outcome: 'timed-out',
      reason: 'it took longer than its 50ms',
    });
  });

  test('a machine that does not answer is named with its port', async () => {
    const reason = await reasonOf(start({ ...nowhere, port: 1 }, { run: 'true' }));
    assert.match(reason, /^cannot connect to 127\.0\.0\.1, port 1: .*ECONNREFUSED/);
  });
});

test('a machine without bash begins a script once too, and one that was told to end before it began does not', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-no-bash-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const tools = 'cat find head mkdir mv rm sleep tail tr wc setsid env';
  for (const [name, path] of [...tools.split(' ').map((tool) => [tool, tool]), ['sh', 'dash']]) {
    const where = ['/usr/bin', '/bin'].map((place) => join(place, path ?? '')).find(existsSync);
    if (where === undefined) return t.skip(`NOT RUN: there is no ${path} here`);
    await symlink(where, join(root, name ?? ''));
  }
  const tell = async (input: string) => {
    const env = { PATH: root, HOME: root };
    const child = spawn(join(root, 'sh'), ['-s'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {}).write(input);
    return await buffer(child.stdout);
  };
  const env = Object.fromEntries(HOSTILE.map((value, index) => [`V${index}`, value]));
  const work = { id: 'one', env, script: `env -0; echo err >&2; exit 3`, grace: 1, timeout: 60 };
  for (let time = 0; time < 2; time += 1) {
    const { o, e, end } = createFrames(greetingOf('one'), { o: 0, e: 0 }).read(
      await tell(followInput(work, { o: 0, e: 0 })),
    );
    assert.deepEqual(end, { kind: 'exit', status: 3 });
    const seen = new Set(o?.text.split('\0'));
    for (const [name, value] of Object.entries(env)) assert.ok(seen.has(`${name}=${value}`), name);
    assert.equal(e?.text, 'err\n');
  }
  await tell(stopInput('two', 1));
  const script = `echo begun >${root}/begun`;
  const late = tell(followInput({ ...work, id: 'two', script }, { o: 0, e: 0 }));
  assert.match((await late).toString(), /\ng it was told to end\n$/);
  assert.equal(existsSync(join(root, 'begun')), false);
});

test('no shell reads a value, nor the end of a script in it', async (t) => {
  const env = Object.fromEntries(HOSTILE.map((value, index) => [`V${index}`, value]));
  const script = `printf '%s' "it's"\nenv -0\nexit 3`;
  for (const command of ['sh -s', 'bash -s', 'dash -s', 'busybox sh -s']) {
    const [shell = '', ...args] = command.split(' ');
    // A group of its own: the input ends the whole group when it ends.
    const child = spawn(shell, args, { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {}).write(shellInput(env, script, 1000));
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'close').catch(() => undefined);
    const output = await text(child.stdout);
    const end = await ended;
    if (end === undefined) continue;
    assert.deepEqual(end, [3, null]);
    assert.ok(output.startsWith("it's"));
    const seen = new Set(output.slice(4).split('\0'));
    for (const [name, value] of Object.entries(env)) assert.ok(seen.has(`${name}=${value}`), name);
  }
});
