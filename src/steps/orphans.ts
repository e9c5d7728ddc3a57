import type { Clock } from '../lib/clock.ts';
import { isOurGit } from '../git/git-environment.ts';
import { MainsheetError } from '../lib/errors.ts';
import { createInterrupt, FINISH_MS, TO_FINISH, type Interrupt } from './interrupt.ts';
import { otherProcesses, selectProcesses, signal, statusOf, variablesOf } from './processes.ts';

/** What orphans have to end in an orderly way, as after a cancel. */
const DEFAULT_GRACE_MS = 10_000;
/** How long processes may take to vanish after SIGKILL. Longer only when the kernel itself is stuck. */
const KILL_MS = 5000;
const PAUSE_MS = 20;
/** What is let finish may take minutes. */
const FINISH_PAUSE_MS = 100;

/**
 * Ends processes whose controller died without ending them. Steps outlive it, because each is a process group of its own;
 * what they were deploying must stop before anything else is deployed in their place. So does git, whose locks must not be
 * taken away while it holds them.
 */
export interface Orphans {
  /** Those of a run. Resolves with how many there were, when none is left. */
  endOfRun(run: string): Promise<number>;
  /** Those of every run and every git that had its files below this directory. What has to be let finish is told to, and not waited for. */
  endBelow(dataDir: string): Promise<number>;
  /** Whether a process belongs to a program that was told to finish and still has time to. */
  isFinishing(pid: number): Promise<boolean>;
}

/** A program that was told to finish. Its process id is that of its group. */
interface Finishing {
  started: string | undefined;
  /** When it was told, by the monotonic clock. */
  since: number;
}

/**
 * Orphans are found by the variables that every step's environment has, through `/proc`: on Linux only, only on this
 * machine, and not when they gave themselves another environment or user. They get SIGTERM, and `graceMs` later SIGKILL.
 * A program that has to be let finish (`ProgramRun.mustFinish`) gets SIGINT first, and it and its group have `finishMs` from then on.
 * Throws MainsheetError `orphan-alive` when one is still there after that, and what keeps `/proc` from being read.
 */
export function createOrphans(deps: {
  clock: Clock;
  graceMs?: number;
  finishMs?: number;
  interrupt?: Interrupt;
}): Orphans {
  const { clock, interrupt = createInterrupt() } = deps;
  const graceMs = deps.graceMs ?? DEFAULT_GRACE_MS;
  const finishMs = deps.finishMs ?? FINISH_MS;
  const finishing = new Map<number, Finishing>();

  /** Ends all that are not let finish. */
  async function end(isMarked: IsMarked): Promise<number> {
    const seen = new Set<number>();
    const startedAt = clock.elapsed();
    for (;;) {
      const { others: found } = await look(isMarked);
      if (found.length === 0) return seen.size;
      const waited = clock.elapsed() - startedAt;
      if (waited > graceMs + KILL_MS) {
        throw new MainsheetError('orphan-alive', `processes of an earlier start cannot be ended`, {
          hint: `look at the processes ${found.join(', ')}: nothing is deployed in their place while they run`,
        });
      }
      for (const pid of found) {
        // SIGTERM once; SIGKILL again and again, because a process may start another one meanwhile.
        if (waited >= graceMs) signal(pid, 'SIGKILL');
        else if (!seen.has(pid)) signal(pid, 'SIGTERM');
        seen.add(pid);
      }
      await clock.sleep(PAUSE_MS);
    }
  }

  /** Tells those to finish that have to be let, and says which are left to do so. */
  async function look(isMarked: IsMarked): Promise<{ finishers: number[]; others: number[] }> {
    const found = await find(isMarked);
    for (const pid of await selectProcesses(found, isToFinish)) {
      const { started } = (await statusOf(pid)) ?? {};
      if (finishing.get(pid)?.started === started) continue;
      finishing.set(pid, { started, since: clock.elapsed() });
      await interrupt(pid);
    }
    const finishers = await selectProcesses(found, isFinishing);
    return { finishers, others: found.filter((pid) => !finishers.includes(pid)) };
  }

  async function isFinishing(pid: number): Promise<boolean> {
    const group = (await statusOf(pid))?.group ?? 0;
    const told = finishing.get(group);
    if (told === undefined || clock.elapsed() - told.since > finishMs) return false;
    const leader = await statusOf(group);
    return leader?.started === told.started && leader?.state !== 'Z';
  }

  /** How many of those that have to be let finish have done so. */
  async function finished(isMarked: IsMarked): Promise<number> {
    const seen = new Set<number>();
    for (;;) {
      const { finishers } = await look(isMarked);
      if (finishers.length === 0) return seen.size;
      finishers.forEach((pid) => seen.add(pid));
      await clock.sleep(FINISH_PAUSE_MS);
    }
  }

  return {
    async endOfRun(run) {
      const isMarked: IsMarked = (variables) => variables.includes(`MAINSHEET_RUN_ID=${run}`);
      const first = await end(isMarked);
      return first + (await finished(isMarked)) + (await end(isMarked));
    },
    isFinishing,
    endBelow: (directory) =>
      end((variables) => isStepBelow(variables, directory) || isOurGit(variables, directory)),
  };
}

type IsMarked = (variables: string[]) => boolean;

/** What such a program has started has the variable, too, but is no leader of its group. */
async function isToFinish(pid: number): Promise<boolean> {
  return (await variablesOf(pid)).includes(TO_FINISH) && (await statusOf(pid))?.group === pid;
}

/** A process that is dead and waits to be reaped has no environment, so it is not found. */
async function find(isMarked: IsMarked): Promise<number[]> {
  const pids = await otherProcesses();
  return await selectProcesses(pids, async (pid) => isMarked(await variablesOf(pid)));
}

function isStepBelow(variables: string[], directory: string): boolean {
  return variables.some((variable) => variable.startsWith(`MAINSHEET_OUTPUT=${directory}/`));
}
