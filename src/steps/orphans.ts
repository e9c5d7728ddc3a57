import type { Clock } from '../lib/clock.ts';
import { isOurGit } from '../git/git-environment.ts';
import { MainsheetError } from '../lib/errors.ts';
import { otherProcesses, selectProcesses, signal, variablesOf } from './processes.ts';

/** What orphans have to end in an orderly way, as after a cancel. */
const DEFAULT_GRACE_MS = 10_000;
/** How long processes may take to vanish after SIGKILL. Longer only when the kernel itself is stuck. */
const KILL_MS = 5000;
const PAUSE_MS = 20;

/**
 * Ends processes whose controller died without ending them. Steps outlive it, because each is a process group of its own;
 * what they were deploying must stop before anything else is deployed in their place. So does git, whose locks must not be
 * taken away while it holds them.
 */
export interface Orphans {
  /** Those of a run. Resolves with how many there were, when none is left. */
  endOfRun(run: string): Promise<number>;
  /** Those of every run and every git that had its files below this directory. */
  endBelow(dataDir: string): Promise<number>;
}

/**
 * Orphans are found by the variables that every step's environment has, through `/proc`: on Linux only, only on this
 * machine, and not when they gave themselves another environment or user. They get SIGTERM, and `graceMs` later SIGKILL.
 * Throws MainsheetError `orphan-alive` when one is still there after that, and what keeps `/proc` from being read.
 */
export function createOrphans(deps: { clock: Clock; graceMs?: number }): Orphans {
  const { clock } = deps;
  const graceMs = deps.graceMs ?? DEFAULT_GRACE_MS;

  async function end(isMarked: (variables: string[]) => boolean): Promise<number> {
    const seen = new Set<number>();
    const startedAt = clock.elapsed();
    for (;;) {
      const found = await find(isMarked);
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

  return {
    endOfRun: (run) => end((variables) => variables.includes(`MAINSHEET_RUN_ID=${run}`)),
    endBelow: (directory) =>
      end((variables) => isStepBelow(variables, directory) || isOurGit(variables, directory)),
  };
}

/** A process that is dead and waits to be reaped has no environment, so it is not found. */
async function find(isMarked: (variables: string[]) => boolean): Promise<number[]> {
  const pids = await otherProcesses();
  return await selectProcesses(pids, async (pid) => isMarked(await variablesOf(pid)));
}

function isStepBelow(variables: string[], directory: string): boolean {
  return variables.some((variable) => variable.startsWith(`MAINSHEET_OUTPUT=${directory}/`));
}
