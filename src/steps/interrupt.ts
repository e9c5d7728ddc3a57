import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../lib/errors.ts';
import { signal, statusOf } from './processes.ts';

/** The variable of a program that has to be let finish, and of what it starts. */
export const TO_FINISH = 'MAINSHEET_STOP=interrupt';
/** How long such a program has after its SIGINT. */
export const FINISH_MS = 300_000;

/** Sends SIGINT to a process, once in its life. */
export type Interrupt = (pid: number) => Promise<void>;

/**
 * Terraform takes a second SIGINT as leave to lose its state, so each one is noted in `directory` before it is sent: this process may die
 * and be started again while it waits. Without a directory nothing is noted.
 */
export function createInterrupt(directory?: string): Interrupt {
  return async (pid) => {
    if (directory === undefined || (await note(directory, pid))) signal(pid, 'SIGINT');
  };
}

/** False when it is there already. */
async function note(directory: string, pid: number): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (name !== (await nameOf(Number.parseInt(name, 10)))) await rm(join(directory, name));
    }
    await writeFile(join(directory, await nameOf(pid)), '', { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    // With a full disk it is better interrupted than killed.
    return errorCode(error) !== 'EEXIST';
  }
}

async function nameOf(pid: number): Promise<string> {
  return `${pid}.${(await statusOf(pid))?.started ?? 'gone'}`;
}
