import { lchown, lstat, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { describeError, errorCode, MainsheetError } from '../lib/errors.ts';
import { letPass, makeOwn, type SystemUser } from '../lib/hand-over.ts';
import { discard } from '../lib/discard.ts';
import { withoutNewPrivileges } from './no-new-privileges.ts';
import { signal, variablesOf } from './processes.ts';
import { startProgram } from './program.ts';
import { barrierTo } from './reach.ts';
import type { ShellProgram } from './shell.ts';

const MARK = 'MAINSHEET_PROBE=1';
const TIMEOUT_MS = 10_000;
/** What has to be nothing in a process that has given up all rights: https://man7.org/linux/man-pages/man7/capabilities.7.html */
const RIGHTS = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'];

interface Proof {
  user: SystemUser & { name: string };
  shell: ShellProgram;
  /** As `findSetpriv` finds it. */
  setpriv?: string | undefined;
  directory: string;
  clock: Clock;
}

/**
 * Proves that steps can run as `user`, by doing with a small script in `directory` (ours; made if need be) what is done
 * with each step: hand it a directory, let it run there, find it, end it, and remove what it left.
 * Throws MainsheetError `step-user`, which says what does not work and what would help.
 */
export async function proveStepUser(deps: Proof): Promise<void> {
  const { user, directory } = deps;
  if (process.platform !== 'linux') {
    throw refused(user.name, 'that needs Linux', 'remove MAINSHEET_STEP_USER');
  }
  await makeOwn(directory, user).catch((error: unknown) => {
    throw refused(user.name, describeError(error), NEEDED);
  });
  const place = await mkdtemp(join(directory, '.probe-'));
  try {
    await letPass(directory, user);
    await lchown(place, user.uid, user.gid);
    await prove(deps, place);
  } catch (error) {
    if (error instanceof MainsheetError && error.code === 'step-user') throw error;
    const cause = error instanceof MainsheetError ? error.cause : error;
    throw refused(user.name, describeError(cause), NEEDED);
  } finally {
    await discard(place, directory).catch(() => undefined);
  }
}

/**
 * Proves that `user` gets to `path`, or to what is there of it. Throws MainsheetError `step-user`, which names the directory that
 * is closed.
 */
export async function proveReach(
  user: Proof['user'],
  shell: ShellProgram,
  path: string,
): Promise<void> {
  const barrier = await barrierTo(user, shell, path);
  if (barrier === undefined) return;
  const hint = `set MAINSHEET_DATA_DIR to a directory that it gets to, or let everybody pass: chmod o+x ${barrier}`;
  throw refused(user.name, `it may not pass through ${barrier}`, hint);
}

async function prove({ user, shell, setpriv, clock }: Proof, place: string): Promise<void> {
  // Waits for input that never comes; nothing but the shell itself has to be there.
  const script = ': > "$0/ready" && read _';
  const command = withoutNewPrivileges(setpriv, { path: shell.path, args: ['-c', script, place] });
  const program = startProgram(command.path, command.args, {
    uid: user.uid,
    gid: user.gid,
    cwd: place,
    env: { MAINSHEET_PROBE: '1' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const pid = await program.started;
  let over = false;
  const ended = program.ended.then((end) => {
    over = true;
    return end;
  });
  try {
    const until = clock.now() + TIMEOUT_MS;
    while (!(await isThere(join(place, 'ready')))) {
      if (over || clock.now() > until) {
        await proveReach(user, shell, place);
        throw refused(user.name, `${place} is not within its reach`, REACH);
      }
      await clock.sleep(5);
    }
    const left = await rightsLeft(pid, user);
    if (left !== undefined) throw refused(user.name, left, NO_AMBIENT);
    if (setpriv !== undefined && !(await isWithoutNewPrivileges(pid))) {
      throw refused(user.name, `${setpriv} does not set no_new_privs`, SETPRIV);
    }
    if (!(await variablesOf(pid)).includes(MARK)) {
      throw refused(user.name, 'its processes cannot be looked at', NEEDED);
    }
    if (!signal(-pid, 'SIGKILL')) throw refused(user.name, 'its processes cannot be ended', NEEDED);
    await ended;
  } finally {
    signal(-pid, 'SIGKILL');
    // Ends it too where it cannot be killed.
    program.closeInput();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** What a process still has that a step must not have. */
async function rightsLeft(pid: number, user: SystemUser): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim();
  const all = (id: number) => Array.from({ length: 4 }, () => id).join('\t');
  if (field('Uid') !== all(user.uid)) return `its processes are of ${field('Uid')}`;
  if (field('Gid') !== all(user.gid)) return `its processes are in the group ${field('Gid')}`;
  const groups = field('Groups') ?? '';
  // A kernel may show the one group here too.
  if (groups !== '' && groups !== String(user.gid)) return `it keeps the groups ${groups}`;
  const right = RIGHTS.find((name) => !/^0*$/.test(field(name) ?? ''));
  return right === undefined ? undefined : `it keeps capabilities (${right} ${field(right)})`;
}

async function isWithoutNewPrivileges(pid: number): Promise<boolean> {
  return /^NoNewPrivs:\s*1$/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
}

const SETPRIV = 'put the setpriv of util-linux on the PATH, or none';
const NEEDED =
  'start Mainsheet as root, in a container with the capabilities CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID and SYS_PTRACE; or remove MAINSHEET_STEP_USER';
const REACH =
  'let everybody pass through the directories above MAINSHEET_DATA_DIR (chmod o+x), and see that the shell may be run by all';
const NO_AMBIENT = 'start Mainsheet as root, without ambient or inheritable capabilities';

function refused(name: string, reason: string, hint: string): MainsheetError {
  return new MainsheetError('step-user', `steps cannot run as ${name}: ${reason}`, { hint });
}
