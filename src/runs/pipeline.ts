import { MainsheetError } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import { stepTitle, type Step } from '../model/run.ts';
import { checkOut } from './check-out.ts';
import { ended, failedAt, failureReason, skipRest, stop } from './end-steps.ts';
import type { Outcome } from './outcome.ts';
import { keptOutputs, toKeep } from './outputs.ts';
import {
  saveStep,
  stillOurs,
  STORE_TIMEOUT_MS,
  type Pipeline,
  type PipelineDeps,
} from './pipeline-context.ts';
import { runStep } from './run-step.ts';
import { alreadyOver, settle } from './take-up.ts';
import { tellStep } from './tell-step.ts';
import { stepGateOf } from './waits.ts';

/** Checks the revision out, unless it came late, and runs the steps that have not succeeded yet, one after the other. */
export async function runPipeline(deps: PipelineDeps, pipeline: Pipeline): Promise<Outcome> {
  const { run, spec, log } = pipeline;
  // From now and not from `startedAt`: a run that is taken up again has its whole time.
  const deadline = deps.clock.elapsed() + spec.timeoutMs;
  const steps = await deps.store.steps.ofRun(run.id);
  const over = await alreadyOver(deps, pipeline, steps);
  if (over !== undefined) return over;
  const kept = await keptOutputs(deps, run);
  // Without what the finished steps have put out, the others cannot go on, whatever stands in the work tree.
  const mayKeep = run.attempts > 1 && kept !== undefined;
  const keep = mayKeep ? await deps.store.runs.workTree(run.id) : undefined;
  const begun = steps.some(({ attempts }) => attempts > 0);
  const place = await checkOut(deps, pipeline, { deadline, keep, begun });
  if (place === undefined) return await stop(deps, pipeline, steps);
  if ('superseded' in place) {
    log.say(-1, place.superseded);
    await skipRest(deps, run, steps, 0);
    return { kind: 'superseded', reason: place.superseded };
  }
  const settled = await settle(deps, pipeline, steps, place);
  if ('kind' in settled) return settled;
  const outputs = settled.fromTheStart ? {} : (kept ?? run.outputs);
  return await runSteps(deps, pipeline, { steps, directory: place.directory, deadline, outputs });
}

/** What the steps of a run are done with. */
interface Course {
  steps: Step[];
  directory: string;
  /** By the clock's `elapsed`. */
  deadline: number;
  /** Of the steps that are done. */
  outputs: Record<string, string>;
}

async function runSteps(
  deps: PipelineDeps,
  pipeline: Pipeline,
  { steps, directory, deadline, outputs: before }: Course,
): Promise<Outcome> {
  const { run, spec, log, signal, mask, maskLong } = pipeline;
  const isOver = () => deps.clock.elapsed() >= deadline;
  const gate = await stepGateOf(deps.store, run, spec.steps, deps.clock.now());
  const approved = gate?.verdict.isOpen === true ? gate.held : undefined;
  let outputs = before;
  for (const [index, stepSpec] of spec.steps.entries()) {
    const step = steps[index];
    if (step === undefined) throw new MainsheetError('step-missing', `step ${index} has no row`);
    if (step.state === 'succeeded') continue;
    if (signal.aborted) return await stop(deps, pipeline, steps);

    const result = isOver()
      ? ({ outcome: 'timed-out', reason: 'no time was left for it' } as const)
      : await runStep(deps, pipeline, {
          step,
          stepSpec,
          directory,
          deadline,
          outputs,
          approved: approved?.step === index ? approved.id : undefined,
        });
    if (result.outcome === 'cancelled') return await stop(deps, pipeline, steps, step);

    if (result.outcome === 'waiting') {
      const detail = mask(`${step.name}: ${result.detail}`);
      log.say(index, `Waiting for approval: ${detail}`);
      return {
        kind: 'waiting',
        step: { ...step, state: 'pending', startedAt: undefined, kept: result.kept },
        gate: { step: index, id: result.id, since: deps.clock.now(), detail },
      };
    }
    if (result.outcome !== 'succeeded') {
      const exitCode = result.outcome === 'failed' ? result.exitCode : undefined;
      const reason = mask(failureReason(result, spec, stepSpec, isOver()));
      log.say(index, `${stepTitle(step)} failed: ${reason}`);
      const failed = ended(deps, step, 'failed', exitCode, reason);
      await saveStep(deps, run, failed);
      return await failedAt(deps, run, steps, failed);
    }
    outputs = { ...outputs, ...result.outputs };
    const toStore = await toKeep(outputs, { run, maskLong, seal: deps.seal });
    const succeeded = ended(deps, step, 'succeeded', result.exitCode, '');
    await retry({ clock: deps.clock, timeoutMs: STORE_TIMEOUT_MS }, () =>
      deps.store.lazily(async (tables) => {
        stillOurs(run, await tables.runs.setOutputs(run.id, toStore, run.attempts));
        await tellStep(tables, run, spec, succeeded, deps.clock.now());
        await tables.steps.update(run.id, succeeded);
        deps.failpoint?.('step.inside');
      }),
    );
    deps.news.publish({ kind: 'step', run: run.id, step: index, state: 'succeeded' });
  }
  const stored = await toKeep(outputs, { run, maskLong, seal: deps.seal });
  return { kind: 'succeeded', outputs: stored.outputs };
}
