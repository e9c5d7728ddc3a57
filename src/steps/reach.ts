import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../lib/errors.ts';
import type { SystemUser } from '../lib/hand-over.ts';
import type { ShellProgram } from './shell.ts';

const TIMEOUT_MS = 10_000;

/** Those of `paths` that `user` may read, or list when they are directories. */
export async function readableBy(
  user: SystemUser,
  shell: ShellProgram,
  paths: string[],
): Promise<string[]> {
  return await selectedBy(user, shell, '[ -r "$path" ]', paths);
}

/**
 * The topmost directory that keeps `user` from getting to `path`, or through it; undefined when none does. Of a path that is
 * not there yet, what is there of it counts.
 */
export async function barrierTo(
  user: SystemUser,
  shell: ShellProgram,
  path: string,
): Promise<string | undefined> {
  // Where links lead first: what is closed there is what has to be opened.
  const paths = [...downTo(await realPathOf(path)), ...downTo(path)];
  // What is below of a closed directory looks to the user as if it were not there, and so does what is not there.
  const closed = await selectedBy(user, shell, '[ -e "$path" ] && ! [ -x "$path" ]', paths);
  return closed[0];
}

async function selectedBy(
  user: SystemUser,
  shell: ShellProgram,
  condition: string,
  paths: string[],
): Promise<string[]> {
  const script = `for path; do if ${condition}; then printf "%s\\0" "$path"; fi; done`;
  const { stdout } = await promisify(execFile)(shell.path, ['-c', script, 'sh', ...paths], {
    uid: user.uid,
    gid: user.gid,
    cwd: '/',
    env: {},
    timeout: TIMEOUT_MS,
  });
  return stdout.split('\0').filter((path) => path !== '');
}

/** The directories above a path and the path itself, from the root on. */
function downTo(path: string): string[] {
  const above = dirname(path);
  return above === path ? [path] : [...downTo(above), path];
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return await realPathOf(dirname(path));
  }
}
