import type { Clock } from '../lib/clock.ts';
import {
  otherProcesses,
  selectProcesses,
  signal,
  statusOf,
  variablesOf,
  type ProcessStatus,
} from './processes.ts';

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
    try {
      const group = signal(-id, 0) && (await hasMembers());
      return group || (await escaped()).length > 0;
    } catch {
      // Without a look, for want of descriptors say, it is not known that the group is empty.
      return true;
    }
  }

  async function signalAll(name: NodeJS.Signals): Promise<void> {
    signal(-id, name);
    // One that cannot be looked for now must not keep the group from its SIGKILL.
    for (const pid of await escaped().catch(() => [])) signal(pid, name);
  }

  /** Whether more is left of the group than dead processes that were not reaped: a container may have no init. */
  async function hasMembers(): Promise<boolean> {
    const pids = await otherProcesses();
    const members = await selectProcesses(pids, async (pid) => isMember(await statusOf(pid)));
    return pids.length === 0 || members.length > 0;
  }

  async function escaped(): Promise<number[]> {
    return await selectProcesses(
      await otherProcesses(),
      async (pid) => (await variablesOf(pid)).includes(mark) && !isMember(await statusOf(pid)),
    );
  }

  function isMember(status: ProcessStatus | undefined): boolean {
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
