import { readdir, readFile } from 'node:fs/promises';

/** Sends a signal (0: only asks) to a process, or to a group (`-id`), and tells whether there was one to get it. */
export function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
  } catch {
    return false;
  }
}

/** The ids of all processes but this one; none where there is no `/proc`. */
export async function otherProcesses(): Promise<number[]> {
  const entries = await readdir('/proc').catch(() => []);
  return entries.map(Number).filter((pid) => pid > 0 && pid !== process.pid);
}

export interface ProcessStatus {
  state: string | undefined;
  group: number;
}

/** Of a process that still is: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export async function statusOf(pid: number): Promise<ProcessStatus | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field, in parentheses, is the program's name, which may hold anything.
  const [state, , group] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return text === undefined ? undefined : { state, group: Number(group) };
}

/**
 * The environment that a process was started with, as `NAME=value`. Empty too when it ended meanwhile or belongs to
 * somebody else.
 */
export async function variablesOf(pid: number): Promise<string[]> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0');
}
