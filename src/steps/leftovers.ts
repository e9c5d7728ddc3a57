import { readFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import { otherProcesses, selectProcesses, signal } from './processes.ts';

/** How long processes may take to vanish after SIGKILL. Longer only when the kernel itself is stuck. */
const KILL_MS = 5000;
const PAUSE_MS = 20;

/** Ends what steps have left, and resolves with how many processes that were, when none is left. */
export type EndLeftovers = () => Promise<number>;

/**
 * Ends every process of the steps' own user that this process started, by whatever way it hid: only to be called while no step
 * runs. A process whose parent has ended gets one above this process as its parent, so what has another parent belongs to
 * another program that uses the same user. Finds them through `/proc`, so on Linux only, and kills at once.
 * Throws MainsheetError `leftover-alive` when one is still there after that.
 */
export function createEndLeftovers(deps: {
  clock: Clock;
  uid: number;
  /** Of a process that is still to be let finish. */
  isSpared?: (pid: number) => Promise<boolean>;
}): EndLeftovers {
  const { clock, uid, isSpared = async () => false } = deps;
  return async () => {
    const seen = new Set<number>();
    const startedAt = clock.elapsed();
    for (;;) {
      const { ours: all, unclear } = await find(uid);
      const ours = await selectProcesses(all, async (pid) => !(await isSpared(pid)));
      if (ours.length === 0 && !unclear) return seen.size;
      for (const pid of ours) {
        signal(pid, 'SIGKILL');
        seen.add(pid);
      }
      if (clock.elapsed() - startedAt > KILL_MS) {
        throw new MainsheetError(
          'leftover-alive',
          'processes that steps have left cannot be ended',
          {
            hint: `look at the processes ${ours.join(', ')}`,
          },
        );
      }
      await clock.sleep(PAUSE_MS);
    }
  };
}

interface Lineage {
  parent: number;
  isUsers: boolean;
}

async function find(uid: number): Promise<{ ours: number[]; unclear: boolean }> {
  const all = new Map<number, Lineage>();
  await selectProcesses([process.pid, ...(await otherProcesses())], async (pid) => {
    const lineage = await lineageOf(pid, uid);
    if (lineage !== undefined) all.set(pid, lineage);
    return false;
  });
  const above = new Set<number>();
  for (let pid = process.pid; pid > 0 && !above.has(pid); pid = all.get(pid)?.parent ?? 0) {
    above.add(pid);
  }
  let unclear = false;
  const ours = [...all].flatMap(([pid, { isUsers }]) => {
    if (!isUsers) return [];
    const starter = starterOf(pid, all);
    // It ended while the others were looked at: its children have another parent by now.
    if (starter > 0 && !all.has(starter)) unclear = true;
    return above.has(starter) ? [pid] : [];
  });
  return { ours, unclear };
}

/** The first process above that is not the user's. */
function starterOf(pid: number, all: ReadonlyMap<number, Lineage>): number {
  const seen = new Set<number>();
  let current = pid;
  while (all.get(current)?.isUsers === true && !seen.has(current)) {
    seen.add(current);
    current = all.get(current)?.parent ?? 0;
  }
  return current;
}

/** Undefined for one that is gone, or dead and not reaped yet. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
async function lineageOf(pid: number, uid: number): Promise<Lineage | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(unlessGone);
  // A process goes on without its first thread, which then is dead and not reaped.
  const isDead = /^State:\s*[ZX]/m.test(status) && /^Threads:\s*[01]$/m.test(status);
  if (status === '' || isDead) return undefined;
  const ids = /^Uid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return {
    parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0),
    isUsers: ids.includes(String(uid)),
  };
}

function unlessGone(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
  throw error;
}
