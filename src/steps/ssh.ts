import type { Clock } from '../lib/clock.ts';
import type { SshStepSpec } from '../spec/steps/ssh.ts';
import type { DoStep, StepKind } from './contract.ts';
import { withinTime } from './ending.ts';
import { logIn } from './ssh-connection.ts';
import { runOnce } from './ssh-once.ts';
import { runResumable } from './ssh-resume.ts';
import type { Targets } from './targets.ts';

/**
 * Runs a script on another machine, which has to show a key that the spec names. Its output is the log, its exit status the end of
 * the step. On timeout and cancel what runs there gets SIGTERM, and SIGKILL `killGraceMs` later; with `resume: false` also when the
 * connection breaks.
 */
export function createSshStep(deps: {
  targets: Targets;
  clock: Clock;
  killGraceMs: number;
}): DoStep<SshStepSpec> {
  return async (context) =>
    await withinTime(context, async (signal) => {
      signal.throwIfAborted();
      if (context.step.resume) return await runResumable(deps, context, signal);
      using connection = await logIn(deps.targets, context, signal);
      return await runOnce(deps, connection, context, signal);
    });
}

export const sshStep = { create: createSshStep } satisfies StepKind<
  SshStepSpec,
  Parameters<typeof createSshStep>[0]
>;
