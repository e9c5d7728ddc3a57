import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import type { SshStepSpec } from '../model/deployment-spec.ts';
import type { StepKind } from './contract.ts';
import { failedStep } from './remote.ts';
import { cancelled } from './run-program.ts';
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
}): StepKind<SshStepSpec> {
  return async (context) => {
    const late = AbortSignal.timeout(Math.min(context.timeoutMs, 2 ** 31 - 1));
    const signal = AbortSignal.any([context.signal, late]);
    try {
      signal.throwIfAborted();
      if (context.step.resume) return await runResumable(deps, context, signal);
      using connection = await logIn(deps.targets, context, signal);
      return await runOnce(deps, connection, context, signal);
    } catch (error) {
      if (context.signal.aborted) return cancelled(context.signal);
      if (late.aborted) {
        return {
          outcome: 'timed-out',
          reason: `it took longer than its ${formatDuration(context.timeoutMs)}`,
        };
      }
      const hint = hintOf(error);
      return failedStep(`${describeError(error)}${hint === undefined ? '' : ` (${hint})`}`);
    }
  };
}
