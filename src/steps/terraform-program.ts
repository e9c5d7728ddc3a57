import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { cleanText } from '../lib/clean-text.ts';
import type { Clock } from '../lib/clock.ts';
import { limitsWithin, type StepLimits } from '../lib/step-limits.ts';
import type { TerraformStepSpec } from '../spec/steps/terraform.ts';
import type { StepContext, StepResult } from './contract.ts';
import { failedStep, reasonOf } from './ending.ts';
import { findProgram } from './find-program.ts';
import type { RunProgram } from './run-program.ts';

/** Characters of what it prints that are looked through. */
const MOST_SEEN = 256 * 1024;

/** Nothing is asked at a terminal, and no newer version is told of: https://developer.hashicorp.com/terraform/cli/config/environment-variables */
const ENVIRONMENT = { TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1' };

/** What a command that ended as it may has printed, without its colours, which the log has; or how the step ends. */
export type Said = { exitCode: number; stdout: string } | { result: StepResult };

/** One command of Terraform or OpenTofu. `good`: exit codes that are no failure. */
export type Terraform = (args: [string, ...string[]], good?: readonly number[]) => Promise<Said>;

/** The program, in the folder of the step and with all the time that the step has. A text says why not. */
export async function openTerraform(
  deps: { runProgram: RunProgram; clock: Clock; limits?: StepLimits | undefined },
  context: StepContext<TerraformStepSpec>,
): Promise<Terraform | string> {
  const { step, directory, scratch } = context;
  const { program } = step;
  const path = await findProgram(program, context.env['PATH'] ?? '');
  if (path === undefined) return `there is no ${program} on the PATH`;
  const cwd = await folderOf(directory, step.path);
  if (cwd === undefined) return `the checkout has no folder ${step.path}`;
  const until = deps.clock.elapsed() + context.timeoutMs;
  const limits = limitsWithin(step.limits ?? {}, deps.limits ?? {});

  return async (args, good = [0]) => {
    const seen = { stdout: '', stderr: '' };
    const end = await deps.runProgram(
      {
        ...context,
        env: { ...context.env, ...ENVIRONMENT },
        timeoutMs: Math.max(1, until - deps.clock.elapsed()),
      },
      {
        path,
        args,
        cwd,
        output: join(scratch, 'output'),
        limits,
        mustFinish: true,
        see: (stream, text) => (seen[stream] = (seen[stream] + text).slice(-MOST_SEEN)),
      },
    );
    if ('result' in end) return end;
    const { exitCode } = end.ended;
    if (exitCode !== null && good.includes(exitCode)) {
      return { exitCode, stdout: cleanText(seen.stdout) };
    }
    const blame = end.blame === '' ? '' : `, ${end.blame}`;
    const lines = cleanText(seen.stderr).replaceAll(/[\u2028\u2029]/g, '\n');
    const said = whatIsWrong(lines, program);
    return { result: failedStep(`${program} ${args[0]}: ${said}${reasonOf(end.ended)}${blame}`) };
  };
}

/** The first error that it names. A lock is told with who has it, and what to do. */
function whatIsWrong(stderr: string, program: string): string {
  const errors = [...stderr.matchAll(/^[^\w\n]*Error: (.+)$/gm)].map(([, text = '']) =>
    text.trim(),
  );
  // Of init the first one says only that others follow.
  const error = errors.find((text) => !text.includes('encountered problems')) ?? errors[0];
  if (error === undefined) return '';
  if (!/acquiring the state lock/.test(error)) return `${error}, `;
  const id = /^[^\w\n]*ID:\s+(\S+)/m.exec(stderr)?.[1];
  const who = /^[^\w\n]*Who:\s+(.+)$/m.exec(stderr)?.[1]?.trim();
  if (id === undefined || who === undefined) {
    const why = /^[^\w\n]*Error message: (.+)$/m.exec(stderr)?.[1]?.trim();
    return `the state cannot be locked: ${why ?? error}, `;
  }
  return `the state is locked by ${who}: wait for its end, or if that is gone, free it: ${program} force-unlock ${id}; `;
}

/** No link in the checkout leads out of it. */
async function folderOf(checkout: string, path: string): Promise<string | undefined> {
  try {
    const top = await realpath(checkout);
    const folder = await realpath(join(top, path));
    return folder === top || folder.startsWith(top + sep) ? folder : undefined;
  } catch {
    return undefined;
  }
}
