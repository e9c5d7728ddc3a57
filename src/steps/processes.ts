import { readdir, readFile } from 'node:fs/promises';

/** How many processes are looked at at the same time. */
const AT_ONCE = 32;

/** Sends a signal (0: only asks) to a process, or to a group (`-id`), and tells whether there was one to get it. */
export function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
  } catch {
    return false;
  }
}

/** The ids of all processes but this one; none where there is no `/proc`. Throws what keeps it from being looked at. */
export async function otherProcesses(): Promise<number[]> {
  const entries = (await readdir('/proc').catch(unlessClosed)) ?? [];
  return entries.map(Number).filter((pid) => pid > 0 && pid !== process.pid);
}

/** Those of `pids` for which `holds`. A few at a time: each look at one takes a file descriptor. */
export async function selectProcesses(
  pids: number[],
  holds: (pid: number) => Promise<boolean>,
): Promise<number[]> {
  const selected: number[] = [];
  for (let start = 0; start < pids.length; start += AT_ONCE) {
    const some = pids.slice(start, start + AT_ONCE);
    const held = await Promise.all(some.map(holds));
    selected.push(...some.filter((_, index) => held[index]));
  }
  return selected;
}

export interface ProcessStatus {
  state: string | undefined;
  group: number;
  /** In ticks since the machine was started: with the id it names one process for ever. */
  started: string | undefined;
}

/** Of a process that still is. Throws as `otherProcesses` does. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export async function statusOf(pid: number): Promise<ProcessStatus | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(unlessClosed);
  // The second field, in parentheses, is the program's name, which may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  const [state, , group] = fields;
  return text === undefined ? undefined : { state, group: Number(group), started: fields[19] };
}

/**
 * The environment that a process was started with, as `NAME=value`. Empty too when it ended meanwhile or belongs to
 * another user. Throws as `otherProcesses` does.
 */
export async function variablesOf(pid: number): Promise<string[]> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(unlessClosed);
  return (environment ?? '').split('\0');
}

/** Only what is gone or closed to us is not there: with no descriptor left, say, nothing can be told of any process. */
function unlessClosed(error: NodeJS.ErrnoException): undefined {
  if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code ?? '')) throw error;
}
