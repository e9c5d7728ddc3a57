import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, lchown, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { MainsheetError } from '../lib/errors.ts';
import { makeOwn, type SystemUser } from '../lib/hand-over.ts';
import { limitsWithin, type StepLimits } from '../lib/step-limits.ts';
import type { ShellStepSpec } from '../spec/steps/shell.ts';
import type { DoStep, StepKind, StepResult } from './contract.ts';
import { OutputsError, readOutputs } from './outputs.ts';
import { cancelled, failedStep, reasonOf, succeeded, type Ended } from './ending.ts';
import type { RunProgram } from './run-program.ts';
import { writeNew } from './write-new.ts';

const GONE = 'the working directory is gone';

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
 * Runs a step's script, from a file, as `RunProgram` runs programs: the step ends when the script ends. Limits are those of the
 * step within `limits`. With `user` the script runs as that user, in its one group: it may read the script, write the outputs, and
 * change nothing else in the step's directory. Throws MainsheetError `step-start` when the script could not be started at all.
 */
export function createShellStep(deps: {
  runProgram: RunProgram;
  shell: ShellProgram;
  user?: SystemUser | undefined;
  /** What a step may use at most, and does when its spec does not say. */
  limits?: StepLimits | undefined;
}): DoStep<ShellStepSpec> {
  const { runProgram, shell, user } = deps;

  return async (context) => {
    if (context.signal.aborted) return cancelled(context.signal);
    const { directory, scratch, step } = context;
    if (!(await isThere(directory))) return failedStep(GONE);
    const script = join(scratch, 'script.sh');
    const output = join(scratch, 'output');
    await makeOwn(scratch, user);
    await writeNew(script, step.run);
    await writeNew(output, '', user);
    if (user !== undefined) {
      await lchown(script, -1, user.gid);
      await chmod(script, 0o640);
    }
    const end = await runProgram(context, {
      path: shell.path,
      args: [...shell.args, script],
      cwd: directory,
      output,
      limits: limitsWithin(step.limits ?? {}, deps.limits ?? {}),
    });
    if ('result' in end) return end.result;
    if (end.ended.exitCode === 0 && !(await isThere(directory))) return failedStep(GONE, 0);
    return await resultOf(end.ended, output, end.blame);
  };
}

export const shellStep = { create: createShellStep } satisfies StepKind<
  ShellStepSpec,
  Parameters<typeof createShellStep>[0]
>;

async function resultOf(ended: Ended, output: string, blame: string): Promise<StepResult> {
  const { exitCode } = ended;
  if (exitCode !== 0) {
    const reason = blame === '' ? reasonOf(ended) : `${reasonOf(ended)}, ${blame}`;
    return failedStep(reason, exitCode ?? undefined);
  }
  try {
    return succeeded(await readOutputs(output));
  } catch (error) {
    if (!(error instanceof OutputsError)) throw error;
    return failedStep(error.message, exitCode);
  }
}

/** Whether the step's working directory can be entered by who has it. */
async function isThere(directory: string): Promise<boolean> {
  const status = await stat(directory).catch(() => undefined);
  return status?.isDirectory() === true && (status.mode & constants.S_IXUSR) !== 0;
}
