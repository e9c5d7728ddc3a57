import { formatDuration } from '../lib/duration.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import { stepTitle, type Run, type Step } from '../model/run.ts';
import type { StepResult } from '../steps/contract.ts';
import { interrupted, type Outcome } from './outcome.ts';
import { saveStep, type Pipeline, type PipelineDeps } from './pipeline-context.ts';

/** The step as it is when it is over. */
export function ended(
  { clock }: Pick<PipelineDeps, 'clock'>,
  step: Step,
  state: Step['state'],
  exitCode: number | undefined,
  reason: string,
): Step {
  return { ...step, state, exitCode, reason, finishedAt: clock.now() };
}

/** The steps from number `from` on will not be done. */
export async function skipRest(
  deps: PipelineDeps,
  run: Run,
  steps: readonly Step[],
  from: number,
): Promise<void> {
  for (const step of steps.slice(from)) {
    if (step.state === 'pending') await saveStep(deps, run, { ...step, state: 'skipped' });
  }
}

/** The run fails by its step `failed`, which is stored. */
export async function failedAt(
  deps: PipelineDeps,
  run: Run,
  steps: readonly Step[],
  failed: Step,
): Promise<Outcome> {
  await skipRest(deps, run, steps, failed.index + 1);
  const reason = `${stepTitle(failed)} failed: ${failed.reason}`;
  return { kind: 'failed', fault: 'step', reason };
}

/** The run was cancelled, or its process has to stop: says so on the steps and tells which. `current`: the step under way. */
export async function stop(
  deps: PipelineDeps,
  { run, log, signal }: Pipeline,
  steps: readonly Step[],
  current?: Step,
): Promise<Outcome> {
  const outcome = interrupted(signal);
  if (outcome.kind === 'interrupted') {
    if (current !== undefined) {
      const how = current.kept === undefined ? 'starts again' : 'is taken up';
      log.say(current.index, `Interrupted: the step ${how} when the run goes on`);
      await saveStep(deps, run, { ...current, state: 'pending', startedAt: undefined });
    }
    return outcome;
  }
  log.say(current?.index ?? -1, outcome.reason);
  if (current !== undefined) {
    await saveStep(deps, run, ended(deps, current, 'cancelled', undefined, outcome.reason));
  }
  await skipRest(deps, run, steps, current === undefined ? 0 : current.index + 1);
  return outcome;
}

/** Why a step failed, for people. `runIsOver`: the run's own time is up. Pure. */
export function failureReason(
  result: Exclude<StepResult, { outcome: 'succeeded' | 'cancelled' | 'waiting' }>,
  spec: DeploymentSpec,
  step: StepSpec,
  runIsOver: boolean,
): string {
  if (result.outcome === 'failed') return result.reason;
  // A late step may have had less than its own limit.
  const own = runIsOver ? undefined : step.timeoutMs;
  return own !== undefined && own < spec.timeoutMs
    ? `it took longer than its ${formatDuration(own)}`
    : `the run took longer than its ${formatDuration(spec.timeoutMs)}`;
}
