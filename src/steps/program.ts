import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { MainsheetError } from '../lib/errors.ts';
import type { Ended } from './ending.ts';

interface Program {
  /** Its process id, which is that of its process group too. Throws MainsheetError `step-start`. */
  started: Promise<number>;
  /** Resolves when it has ended, even if another process still has its pipes open. */
  ended: Promise<Ended>;
  /** Closes its input, where it has one (`stdio: ['pipe', …]`). */
  closeInput(): void;
}

/**
 * Starts a program in a process group of its own. Node's own `spawn`, because nothing that execa adds is wanted here: no
 * streams, no waiting until the last descendant has closed its output, no second way to end it.
 */
export function startProgram(path: string, args: string[], options: SpawnOptions): Program {
  const failed = (cause: unknown) =>
    new MainsheetError('step-start', 'the script could not be started', {
      cause,
      hint: 'look whether the shell and the checkout are there and whether the environment is too large',
    });
  let child: ChildProcess;
  try {
    child = spawn(path, args, { ...options, detached: true });
  } catch (error) {
    throw failed(error);
  }
  return {
    started: new Promise((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0));
      child.once('error', (error) => reject(failed(error)));
    }),
    ended: new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    }),
    closeInput: () => void child.stdin?.destroy(),
  };
}
