import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';

/** How long processes may take to vanish after SIGKILL. Longer only when the kernel itself is stuck. */
const KILL_MS = 1000;
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

/** All processes of one step. */
export interface ProcessGroup {
  /** Whether all of them are gone, if need be after `withinMs`. */
  vanishes(withinMs: number): Promise<boolean>;
  /** SIGTERM to all, after `graceMs` SIGKILL to those that are still there. Resolves when none is left. */
  end(graceMs: number): Promise<void>;
  /** SIGKILL to the process group at once: for the controller's own exit, when there is no time to wait. */
  killNow(): void;
}

/**
 * The process group `id` (the pid of its leader) and every process that left it (`setsid`, daemons) but still has the
 * environment variable `mark`, written `NAME=value`, that only this step's processes were given.
 * Those are found through `/proc`, so on Linux only; and neither there when they gave themselves another environment
 * (`env -i setsid …`) or user.
 */
export function createProcessGroup(deps: { clock: Clock; id: number; mark: string }): ProcessGroup {
  const { clock, id, mark } = deps;

  async function isAlive(): Promise<boolean> {
    const group = signal(-id, 0) && (await hasMembers());
    return group || (await escaped()).length > 0;
  }

  async function signalAll(name: NodeJS.Signals): Promise<void> {
    signal(-id, name);
    for (const pid of await escaped()) signal(pid, name);
  }

  /** Whether more is left of the group than dead processes that nobody has reaped: a container may have no init. */
  async function hasMembers(): Promise<boolean> {
    const pids = await otherProcesses();
    const members = await Promise.all(pids.map(async (pid) => isMember(await statusOf(pid))));
    return pids.length === 0 || members.includes(true);
  }

  async function escaped(): Promise<number[]> {
    const pids = await otherProcesses();
    const found = await Promise.all(
      pids.map(async (pid) => (await isMarked(pid, mark)) && !isMember(await statusOf(pid))),
    );
    return pids.filter((_, index) => found[index]);
  }

  function isMember(status: Status | undefined): boolean {
    return status?.group === id && status.state !== 'Z' && status.state !== 'X';
  }

  async function vanishes(withinMs: number, insist = async () => {}): Promise<boolean> {
    let pause = SHORTEST_PAUSE_MS;
    for (let waited = 0; await isAlive(); waited += pause) {
      if (waited >= withinMs) return false;
      await insist();
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      await clock.sleep(pause);
    }
    return true;
  }

  return {
    vanishes: (withinMs) => vanishes(withinMs),
    async end(graceMs) {
      await signalAll('SIGTERM');
      if (await vanishes(graceMs)) return;
      // Again and again, because a process may start another one while the others are being killed.
      await vanishes(KILL_MS, () => signalAll('SIGKILL'));
    },
    killNow: () => void signal(-id, 'SIGKILL'),
  };
}

/** Sends a signal (0: only asks) and tells whether there was a process to get it. */
function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
  } catch {
    return false;
  }
}

/** The ids of all processes but this one; none where there is no `/proc`. */
async function otherProcesses(): Promise<number[]> {
  const entries = await readdir('/proc').catch(() => []);
  return entries.map(Number).filter((pid) => pid > 0 && pid !== process.pid);
}

interface Status {
  state: string | undefined;
  group: number;
}

/** Of a process that still is: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
async function statusOf(pid: number): Promise<Status | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field, in parentheses, is the program's name, which may hold anything.
  const [state, , group] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return text === undefined ? undefined : { state, group: Number(group) };
}

/** False too when the process ended meanwhile or belongs to somebody else. */
async function isMarked(pid: number, mark: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(mark);
}
