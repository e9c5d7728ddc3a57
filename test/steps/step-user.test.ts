import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/lib/clock.ts';
import type { MainsheetError } from '../../src/lib/errors.ts';
import { findSetpriv } from '../../src/steps/no-new-privileges.ts';
import { readableBy } from '../../src/steps/reach.ts';
import { findShell } from '../../src/steps/shell.ts';
import { proveStepUser } from '../../src/steps/step-user.ts';
import { needsRoot, STEP_USER } from '../support/root.ts';
import { runScript } from './support.ts';

const run = promisify(execFile);
const user = { ...STEP_USER, name: 'deployer' };

async function createDirectory(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-prove-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await chmod(root, 0o711);
  return root;
}

/** What a process with other rights than ours says: `setpriv <options>` before it. */
async function provedWith(t: TestContext, options: string[]): Promise<string> {
  const root = await createDirectory(t);
  const directory = join(root, 'scratch');
  await mkdir(directory);
  const uid = Number(/--reuid=(\d+)/.exec(options.join(' '))?.[1] ?? 0);
  await chown(directory, uid, uid);
  const source = (path: string) =>
    JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
  const program = `
    import { proveStepUser } from ${source('steps/step-user.ts')};
    import { findShell } from ${source('steps/shell.ts')};
    import { systemClock } from ${source('lib/clock.ts')};
    const user = ${JSON.stringify(user)};
    proveStepUser({ user, shell: await findShell(), directory: ${JSON.stringify(directory)}, clock: systemClock }).then(
      () => console.log('proved'),
      (error) => console.log(error.code, error.message, error.hint),
    );`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const [command = '', ...args] = options.length === 0 ? node : ['setpriv', ...options, ...node];
  return (await run(command, args)).stdout.trim();
}

test('root may hand steps to another user, and the proof leaves nothing', needsRoot, async (t) => {
  const root = await createDirectory(t);
  const directory = join(root, 'scratch');
  await proveStepUser({ user, shell: await findShell(), directory, clock: systemClock });
  assert.deepEqual(await readdir(directory), []);
});

test('who may not change users is told so, and what would help', async (t) => {
  const directory = join(await createDirectory(t), 'scratch');
  const asRoot = process.getuid?.() === 0;
  const said = asRoot
    ? await provedWith(t, ['--reuid=61999', '--regid=61999', '--clear-groups'])
    : await proveStepUser({ user, shell: await findShell(), directory, clock: systemClock }).then(
        () => 'proved',
        (error: MainsheetError) => `${error.code} ${error.message} ${error.hint}`,
      );
  assert.match(said, /^step-user steps cannot run as deployer: /);
  assert.match(said, /start Mainsheet as root/);
});

test(
  'a controller that could not look into what belongs to the steps is refused',
  needsRoot,
  async (t) => {
    const said = await provedWith(t, [
      '--bounding-set=-dac_override,-dac_read_search',
      '--inh-caps=-all',
    ]);
    assert.match(said, /^step-user steps cannot run as deployer: .*DAC_OVERRIDE/);
  },
);

test(
  'a controller that could not end the processes of the steps is refused',
  needsRoot,
  async (t) => {
    const said = await provedWith(t, ['--bounding-set=-kill', '--inh-caps=-all']);
    assert.match(said, /^step-user .*its processes cannot be ended.*KILL/);
  },
);

test('rights that steps would inherit are refused', needsRoot, async (t) => {
  const caps = '+chown,+dac_override,+fowner,+kill,+setgid,+setuid,+sys_ptrace';
  const said = await provedWith(t, [
    '--reuid=61999',
    '--regid=61999',
    '--clear-groups',
    `--inh-caps=${caps}`,
    `--ambient-caps=${caps}`,
  ]);
  assert.match(said, /^step-user .*it keeps capabilities \(Cap\w+ 0*[1-9a-f]/);
});

test('a setuid program gives a step of another user nothing', needsRoot, async (t) => {
  const root = await createDirectory(t);
  const program = join(root, 'id');
  await copyFile('/usr/bin/id', program);
  await chmod(program, 0o4755);
  const setpriv = await findSetpriv(await findShell());
  assert.ok(setpriv !== undefined, 'util-linux is there');
  const attempt = await runScript(t, `${program} -u`, { user: STEP_USER, setpriv });
  assert.equal((await attempt.result).outcome, 'succeeded');
  assert.equal(attempt.text('stdout'), `${STEP_USER.uid}\n`);
  const directory = join(root, 'scratch');
  await proveStepUser({ user, shell: await findShell(), setpriv, directory, clock: systemClock });
});

test('the directory that keeps the user from what is its own is named', needsRoot, async (t) => {
  const root = await createDirectory(t);
  const shut = join(root, 'shut');
  const data = join(shut, 'below', 'data');
  await mkdir(join(shut, 'below'), { recursive: true });
  await chmod(shut, 0o700);
  await symlink(shut, join(root, 'link'));
  for (const path of [data, join(root, 'link', 'below', 'data')]) {
    await assert.rejects(
      proveStepUser({
        user,
        shell: await findShell(),
        directory: join(path, 'scratch'),
        clock: systemClock,
      }),
      {
        code: 'step-user',
        message: `steps cannot run as deployer: it may not pass through ${shut}`,
        hint: `set MAINSHEET_DATA_DIR to a directory that it gets to, or let everybody pass: chmod o+x ${shut}`,
      },
    );
  }
});

test('what the user can read is told from what it cannot', needsRoot, async (t) => {
  const root = await createDirectory(t);
  const [open, shut] = [join(root, 'open\n$(false)'), join(root, 'shut')];
  await writeFile(open, '');
  await chmod(open, 0o644);
  await writeFile(shut, '', { mode: 0o600 });
  const paths = [shut, open, `/proc/${process.pid}/environ`, root, '/no/such/file'];
  assert.deepEqual(await readableBy(user, await findShell(), paths), [open]);
});
