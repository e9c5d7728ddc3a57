import type { Clock } from '../lib/clock.ts';
import { makeOwn, type SystemUser } from '../lib/hand-over.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import type { StepContext, StepResult } from './contract.ts';
import { cancelled, isStopping, MAX_TIMER_MS, timedOut, within, type Ended } from './ending.ts';
import { createInterrupt, FINISH_MS, TO_FINISH, type Interrupt } from './interrupt.ts';
import { createLimitBlame, underLimits } from './limited-shell.ts';
import { withoutNewPrivileges } from './no-new-privileges.ts';
import { openOutputFiles } from './output-file.ts';
import { createOutputPipes } from './output-pipe.ts';
import { createProcessGroup, type ProcessGroup } from './process-group.ts';
import { startProgram } from './program.ts';

/** How long a step that got SIGTERM may take over ending, unless the options say otherwise. */
export const KILL_GRACE_MS = 10_000;
/** How long output may still come after the script has ended, from what it left in the background. */
const DRAIN_MS = 500;
/** And while more comes, at most this long. */
const MOST_DRAIN_MS = 10_000;
/** How long a process may take from closing its output to being gone. */
const SETTLE_MS = 50;
/** How long processes that a script left behind have between SIGTERM and SIGKILL, at most. */
const LEFTOVER_GRACE_MS = 1000;
const LEFTOVERS = 'Mainsheet ends what the script has left in the background.';

/** What a program is run with, beside what its step has. */
export interface ProgramRun {
  /** Absolute. */
  path: string;
  args: string[];
  cwd: string;
  /** The step's file of outputs, which marks its processes. */
  output: string;
  limits: StepLimits;
  /**
   * It must not be cut short. It prints to files, and goes on when this process dies. What ends others sends SIGINT to it alone, as it
   * ends what it has started by itself, and everything else follows after `FINISH_MS`; sooner only when this process stops.
   */
  mustFinish?: true;
  /** Called with what it prints, as it comes. */
  see?(stream: 'stdout' | 'stderr', text: string): void;
}

/** `blame`: the limit that made it fail, as far as that is known. A `result` is of a program that did not end by itself. */
export type ProgramEnd = { ended: Ended; blame: string } | { result: StepResult };

/**
 * Runs a program in a process group of its own that gets exactly the step's environment, no input, and pipes for its output. What it
 * left in the background is ended after it. On timeout and cancel everything gets SIGTERM, and SIGKILL `killGraceMs` (default 10 s)
 * later. stdout and stderr are two pipes: each is in order, but lines that are written to both at nearly the same time may change
 * places. Throws MainsheetError `step-start` when it could not be started at all.
 */
export type RunProgram = (
  context: Pick<StepContext, 'scratch' | 'env' | 'log' | 'signal' | 'timeoutMs'>,
  run: ProgramRun,
) => Promise<ProgramEnd>;

export function createRunProgram(deps: {
  clock: Clock;
  /** Sets limits, which Node cannot. */
  shell: { path: string };
  user?: SystemUser | undefined;
  /** As `findSetpriv` finds it: takes from programs the way to more rights. */
  setpriv?: string | undefined;
  killGraceMs?: number;
  interrupt?: Interrupt;
}): RunProgram {
  const { clock, shell, user, interrupt = createInterrupt() } = deps;
  const killGraceMs = deps.killGraceMs ?? KILL_GRACE_MS;
  const killAtExit = createKillAtExit();
  const openOutputPipes = createOutputPipes();

  return async (context, run) => {
    if (context.signal.aborted) return { result: cancelled(context.signal) };
    const limitBlame = createLimitBlame(run.limits);
    await makeOwn(context.scratch, user);
    const mustFinish = run.mustFinish === true;
    const output = mustFinish
      ? await openOutputFiles(context.scratch, clock)
      : await openOutputPipes(context.scratch, user);
    const over = new AbortController();
    let atLineStart = true;
    try {
      const limited = underLimits(run.limits, run.path, run.args, shell.path);
      const command = withoutNewPrivileges(deps.setpriv, limited);
      const program = startProgram(command.path, command.args, {
        cwd: run.cwd,
        env: {
          ...context.env,
          MAINSHEET_OUTPUT: run.output,
          ...(mustFinish ? Object.fromEntries([TO_FINISH.split('=')]) : {}),
        },
        stdio: ['ignore', output.stdout, output.stderr],
        ...user,
      });
      output.handedOver();
      const id = await program.started;
      const group = createProcessGroup({ clock, id, mark: `MAINSHEET_OUTPUT=${run.output}` });
      using _ = mustFinish ? undefined : killAtExit(group);

      async function stop(graceMs: number): Promise<void> {
        if (!mustFinish) return await group.end(graceMs);
        await interrupt(id);
        await within(clock, isStopping(context.signal) ? killGraceMs : FINISH_MS, program.ended);
        await group.end(Math.min(killGraceMs, LEFTOVER_GRACE_MS));
      }

      try {
        let seen = 0;
        const forwarded = output.forward((stream, text) => {
          seen += text.length;
          if (text !== '') atLineStart = text.endsWith('\n');
          if (stream === 'stderr') limitBlame.see(text);
          run.see?.(stream, text);
          context.log(stream, text);
        });
        const end = await Promise.race([
          program.ended.then(() => 'exited' as const),
          timeout(context.timeoutMs, over.signal).then(() => 'late' as const),
          aborted(context.signal, over.signal).then(() => 'cancelled' as const),
          // Only for its error: a script may close its output long before it ends.
          forwarded.then(() => new Promise<never>(() => {})),
        ]);
        if (end === 'exited') {
          output.ended();
          await within(clock, DRAIN_MS, forwarded);
          if (!(await group.vanishes(SETTLE_MS))) {
            context.log('stderr', `${atLineStart ? '' : '\n'}${LEFTOVERS}\n`);
            await group.end(Math.min(killGraceMs, LEFTOVER_GRACE_MS));
          }
        } else {
          await stop(killGraceMs);
          output.ended();
        }
        await drained(forwarded, () => seen);
        output.close();
        await forwarded;

        if (end === 'cancelled') return { result: cancelled(context.signal) };
        if (end === 'late') return { result: timedOut(context.timeoutMs) };
        const ended = await program.ended;
        return { ended, blame: limitBlame.blame(ended) };
      } catch (error) {
        // The log cannot be written: nothing may go on behind its back.
        await stop(0);
        throw error;
      }
    } finally {
      over.abort();
      output.close();
    }
  };

  function timeout(ms: number, over: AbortSignal): Promise<void> {
    return clock.sleep(Math.min(ms, MAX_TIMER_MS), over);
  }

  /** What an ended step has printed is read to its end, however slow this machine is; only what goes on printing is not. */
  async function drained(forwarded: Promise<void>, seen: () => number): Promise<void> {
    const until = clock.elapsed() + MOST_DRAIN_MS;
    for (let before = -1; before !== seen() && clock.elapsed() < until;) {
      before = seen();
      await within(clock, DRAIN_MS, forwarded);
    }
  }
}

/** Kills the groups of steps that are running when the process exits without waiting for them. */
function createKillAtExit(): (group: ProcessGroup) => Disposable {
  const groups = new Set<ProcessGroup>();
  const killAll = () => groups.forEach((group) => group.killNow());
  return (group) => {
    if (groups.size === 0) process.on('exit', killAll);
    groups.add(group);
    return {
      [Symbol.dispose]() {
        groups.delete(group);
        if (groups.size === 0) process.off('exit', killAll);
      },
    };
  };
}

/** Resolves when `signal` aborts; never, but without leaving anything behind, when `over` aborts first. */
async function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: over });
  });
}
