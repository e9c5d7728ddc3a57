import { execFile } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { promisify } from 'node:util';
import type { ShellProgram } from './shell.ts';

/** A program and what it is started with. */
interface Command {
  path: string;
  args: string[];
}

/** What to do where there is none. */
export const SETPRIV_HINT =
  'install setpriv, of util-linux, so that setuid programs give steps nothing';

const OPTIONS = ['--no-new-privs', '--'];

/**
 * The absolute path of `setpriv`, of util-linux or BusyBox, that takes from a program the way to more rights: with it a setuid
 * program or one with file capabilities runs as any other (https://docs.kernel.org/userspace-api/no_new_privs.html). Undefined
 * when there is none on the PATH that can do it.
 */
export async function findSetpriv(shell: ShellProgram): Promise<string | undefined> {
  const look = [...OPTIONS, shell.path, '-c', 'command -v setpriv'];
  const { stdout } = await promisify(execFile)('setpriv', look).catch(() => ({ stdout: '' }));
  const path = stdout.trimEnd();
  return isAbsolute(path) ? path : undefined;
}

/** The command that runs `command` without a way to more rights; the command itself where there is no `setpriv`. */
export function withoutNewPrivileges(setpriv: string | undefined, command: Command): Command {
  if (setpriv === undefined) return command;
  return { path: setpriv, args: [...OPTIONS, command.path, ...command.args] };
}
