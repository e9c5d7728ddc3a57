import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Makes a process's disk full: from then on it, and what it starts, can write to no file any more. It works on any machine
 * with Linux and without root; nothing that the process has open is touched.
 */
export async function fillDisk(pid: number): Promise<void> {
  // Only the soft limit, so that it can be lifted again.
  await prlimit(pid, '0:');
}

export async function makeRoom(pid: number): Promise<void> {
  await prlimit(pid, 'unlimited:');
}

/** Why a test that needs it has to be left out; false when it can run. */
export async function cannotFillDisk(): Promise<string | false> {
  try {
    await prlimit(process.pid, undefined);
    return false;
  } catch {
    return 'there is no prlimit on this machine';
  }
}

async function prlimit(pid: number, size: string | undefined): Promise<void> {
  const limit = size === undefined ? '--fsize' : `--fsize=${size}`;
  await promisify(execFile)('prlimit', ['--pid', String(pid), limit]);
}
