import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, lchown, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { makeOwn, type Owner } from '../lib/owner.ts';
import { limitsWithin, type StepLimits } from '../lib/step-limits.ts';
import type { ShellStepSpec } from '../model/deployment-spec.ts';
import type { StepKind, StepResult } from './contract.ts';
import { createLimitWatch, underLimits } from './limited-shell.ts';
import { withoutNewPrivileges } from './no-new-privileges.ts';
import { openOutputPipes } from './output-pipe.ts';
import { OutputsError, readOutputs } from './outputs.ts';
import { exitReason, signalReason } from './exit-reason.ts';
import { startProgram, type Ended } from './program.ts';
import { createProcessGroup, type ProcessGroup } from './process-group.ts';

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
/** The longest time a timer can run. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What scripts are run with: `<path> <args> <script>`. */
export interface ShellProgram {
  /** Absolute. */
  path: string;
  args: string[];
}

/**
 * `bash -eo pipefail` where there is bash on the PATH, else `sh -e`: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
 * Throws MainsheetError `no-shell` when there is neither.
 */
export async function findShell(): Promise<ShellProgram> {
  for (const [name, ...args] of [
    ['bash', '-eo', 'pipefail'],
    ['sh', '-e'],
  ] as const) {
    // A shell names itself here, and shows that it understands its options.
    const look = [...args, '-c', `command -v ${name}`];
    const { stdout } = await promisify(execFile)(name, look).catch(() => ({ stdout: '' }));
    const path = stdout.trimEnd();
    if (isAbsolute(path)) return { path, args };
  }
  throw new MainsheetError('no-shell', 'there is neither bash nor sh on the PATH', {
    hint: 'install bash, or correct the PATH that Mainsheet is started with',
  });
}

/**
 * Runs a step's script, from a file, in a process group of its own that gets exactly the step's environment, no input,
 * and pipes for its output. The step ends when the script ends; what it left in the background is ended then. On
 * timeout and cancel everything gets SIGTERM, and SIGKILL `killGraceMs` (default 10 s) later.
 * stdout and stderr are two pipes: each is in order, but lines that a script writes to both at nearly the same time
 * may change places. Limits are those of the step within `limits`. With `user` the script runs as that user, in its one
 * group: it may read the script, write the outputs, and change nothing else in the step's directory. Throws MainsheetError
 * `step-start` when the script could not be started at all.
 */
export function createShellStep(deps: {
  clock: Clock;
  shell: ShellProgram;
  user?: Owner | undefined;
  /** As `findSetpriv` finds it: takes from scripts the way to more rights. */
  setpriv?: string | undefined;
  /** What a step may use at most, and does when its spec does not say. */
  limits?: StepLimits;
  killGraceMs?: number;
}): StepKind<ShellStepSpec> {
  const { clock, shell, user } = deps;
  const killGraceMs = deps.killGraceMs ?? KILL_GRACE_MS;
  const watch = createExitWatch();

  return async (context) => {
    if (context.signal.aborted) return cancelled(context.signal);
    if (!(await isThere(context.directory))) return gone(undefined);
    const limits = limitsWithin(context.step.limits ?? {}, deps.limits ?? {});
    const limitWatch = createLimitWatch(limits);
    const script = join(context.scratch, 'script.sh');
    const output = join(context.scratch, 'output');
    await makeOwn(context.scratch, user);
    await writeNew(script, context.step.run);
    await writeNew(output, '');
    if (user !== undefined) {
      await lchown(script, -1, user.gid);
      await chmod(script, 0o640);
      await lchown(output, user.uid, user.gid);
    }
    const pipes = await openOutputPipes(context.scratch, user);
    const over = new AbortController();
    let atLineStart = true;
    try {
      const limited = underLimits(limits, shell.path, [...shell.args, script]);
      const command = withoutNewPrivileges(deps.setpriv, limited);
      const program = startProgram(command.path, command.args, {
        cwd: context.directory,
        env: { ...context.env, MAINSHEET_OUTPUT: output },
        stdio: ['ignore', pipes.stdout, pipes.stderr],
        ...user,
      });
      pipes.handedOver();
      const id = await program.started;
      const group = createProcessGroup({ clock, id, mark: `MAINSHEET_OUTPUT=${output}` });
      using _ = watch(group);

      try {
        let seen = 0;
        const forwarded = pipes.forward((stream, text) => {
          seen += text.length;
          if (text !== '') atLineStart = text.endsWith('\n');
          if (stream === 'stderr') limitWatch.see(text);
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
          await within(DRAIN_MS, forwarded);
          if (!(await group.vanishes(SETTLE_MS))) {
            context.log('stderr', `${atLineStart ? '' : '\n'}${LEFTOVERS}\n`);
            await group.end(Math.min(killGraceMs, LEFTOVER_GRACE_MS));
          }
        } else {
          await group.end(killGraceMs);
        }
        await drained(forwarded, () => seen);
        pipes.close();
        await forwarded;

        if (end === 'cancelled') return cancelled(context.signal);
        if (end === 'late') return late(context.timeoutMs);
        const ended = await program.ended;
        if (ended.exitCode === 0 && !(await isThere(context.directory))) return gone(0);
        return await resultOf(ended, output, limitWatch.blame(ended));
      } catch (error) {
        // The log cannot be written: nothing may go on behind its back.
        await group.end(0);
        throw error;
      }
    } finally {
      over.abort();
      pipes.close();
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
      await within(DRAIN_MS, forwarded);
    }
  }

  async function within(ms: number, promise: Promise<void>): Promise<void> {
    const done = new AbortController();
    await Promise.race([promise, clock.sleep(ms, done.signal)]).finally(() => done.abort());
  }
}

/** Writes a file in the place of whatever is there: a former attempt may have left a link to somewhere else. */
async function writeNew(path: string, text: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await writeFile(path, text, { mode: 0o600, flag: 'wx' });
}

/** Kills the groups of steps that are running when the process exits without waiting for them. */
function createExitWatch(): (group: ProcessGroup) => Disposable {
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

async function resultOf(ended: Ended, output: string, blame: string): Promise<StepResult> {
  const { exitCode } = ended;
  if (exitCode !== 0) {
    const reason = exitCode === null ? signalReason(ended.signal) : exitReason(exitCode);
    return {
      outcome: 'failed',
      exitCode: exitCode ?? undefined,
      reason: blame === '' ? reason : `${reason}, ${blame}`,
    };
  }
  try {
    return { outcome: 'succeeded', exitCode, outputs: await readOutputs(output) };
  } catch (error) {
    if (!(error instanceof OutputsError)) throw error;
    return { outcome: 'failed', exitCode, reason: error.message };
  }
}

/** Whether the step's working directory can be entered by who has it. */
async function isThere(directory: string): Promise<boolean> {
  const status = await stat(directory).catch(() => undefined);
  return status?.isDirectory() === true && (status.mode & constants.S_IXUSR) !== 0;
}

function gone(exitCode: number | undefined): StepResult {
  return { outcome: 'failed', exitCode, reason: 'the working directory is gone' };
}

function late(timeoutMs: number): StepResult {
  return { outcome: 'timed-out', reason: `it took longer than its ${formatDuration(timeoutMs)}` };
}

function cancelled(signal: AbortSignal): StepResult {
  const reason: unknown = signal.reason;
  if (typeof reason === 'string') return { outcome: 'cancelled', reason };
  if (reason instanceof Error) return { outcome: 'cancelled', reason: describeError(reason) };
  const given =
    typeof reason === 'object' && reason !== null && 'reason' in reason ? reason.reason : undefined;
  return { outcome: 'cancelled', reason: typeof given === 'string' ? given : 'cancelled' };
}
