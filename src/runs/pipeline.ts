import { backoffDelay } from '../lib/backoff.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, MainsheetError, RetryableError } from '../lib/errors.ts';
import { isWayOutProblem } from '../lib/way-out.ts';
import { retry } from '../lib/retry.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import type { Run, Step } from '../model/run.ts';
import type { Checkout } from '../git/checkouts.ts';
import type { StepResult } from '../steps/contract.ts';
import { lateReason, laterThan } from './order.ts';
import { interrupted, type Outcome } from './outcome.ts';
import { keptOutputs, NO_OUTPUTS, toKeep } from './outputs.ts';
import {
  saveStep,
  stillOurs,
  STORE_TIMEOUT_MS,
  type Pipeline,
  type PipelineDeps,
} from './pipeline-context.ts';
import { runStep } from './run-step.ts';

/** How long the checkout is tried again while GitHub cannot be reached, in milliseconds. */
const CHECKOUT_PATIENCE_MS = 5 * 60_000;
const CHECKOUT_BACKOFF = { baseMs: 1000, maxMs: 30_000 };
/** A run that was taken up so often and never came to its end may be what ends Mainsheet: its step takes all memory, for example. */
const MOST_ATTEMPTS = 20;

/** Checks the revision out, unless it came late, and runs the steps that have not succeeded yet, one after the other. */
export async function runPipeline(deps: PipelineDeps, pipeline: Pipeline): Promise<Outcome> {
  const { run, spec, log, signal, mask, maskLong } = pipeline;
  // From now and not from `startedAt`: a run that is taken up again has its whole time.
  const deadline = deps.clock.elapsed() + spec.timeoutMs;
  const steps = await deps.store.steps.ofRun(run.id);
  const over = run.attempts > 1 ? await alreadyOver(deps, pipeline, steps) : undefined;
  if (over !== undefined) return over;
  const kept = await keptOutputs(deps, run);
  // Without what the finished steps have put out, the others cannot go on, whatever stands in the work tree.
  const again = kept === undefined;
  const begun = steps.some(({ attempts }) => attempts > 0);
  const place = await checkOut(deps, pipeline, deadline, { again, begun });
  if (place === undefined) return await stop(deps, pipeline, steps);
  if (typeof place === 'string') {
    log.say(-1, place);
    await skipRest(deps, run, steps, 0);
    return { kind: 'superseded', reason: place };
  }
  const { directory } = place;
  // What finished steps have left there, a build for example, is what the others go on with.
  const lacksFiles = !place.kept && some(steps, 'succeeded') && !every(steps, 'succeeded');
  if (lacksFiles && spec.onInterrupt === 'fail') return await withoutFiles(deps, pipeline, steps);
  if (!place.kept) await begin(deps, pipeline, place.name, lacksFiles ? steps : []);

  let outputs = lacksFiles ? {} : (kept ?? run.outputs);
  for (const [index, stepSpec] of spec.steps.entries()) {
    const step = steps[index];
    if (step === undefined) throw new MainsheetError('step-missing', `step ${index} has no row`);
    if (step.state === 'succeeded') continue;
    if (signal.aborted) return await stop(deps, pipeline, steps);

    const timeLeft = deadline - deps.clock.elapsed();
    const result: StepResult =
      timeLeft <= 0
        ? { outcome: 'timed-out', reason: 'no time was left for it' }
        : await runStep(deps, pipeline, { step, stepSpec, directory, deadline, outputs });
    if (result.outcome === 'cancelled') return await stop(deps, pipeline, steps, step);

    if (result.outcome === 'succeeded') {
      outputs = { ...outputs, ...result.outputs };
      const toStore = await toKeep(outputs, { run, maskLong, seal: deps.seal });
      const succeeded = end(deps, step, 'succeeded', result.exitCode, '');
      await retry({ clock: deps.clock, timeoutMs: STORE_TIMEOUT_MS }, () =>
        deps.store.lazily(async (tables) => {
          stillOurs(run, await tables.runs.setOutputs(run.id, toStore, run.attempts));
          await tables.steps.update(run.id, succeeded);
          deps.failpoint?.('step.inside');
        }),
      );
      deps.news.publish({ kind: 'step', run: run.id, step: index, state: 'succeeded' });
      continue;
    }
    const exitCode = result.outcome === 'failed' ? result.exitCode : undefined;
    const reason = mask(reasonOf(result, spec, stepSpec, deps.clock.elapsed() >= deadline));
    log.say(index, `Step "${step.name}" failed: ${reason}`);
    const failed = end(deps, step, 'failed', exitCode, reason);
    await saveStep(deps, run, failed);
    return await failedAt(deps, run, steps, failed);
  }
  const stored = await toKeep(outputs, { run, maskLong, seal: deps.seal });
  return { kind: 'succeeded', outputs: stored.outputs };
}

/**
 * Of a run that is taken up again: its end, when a step had failed for good before the process died, when the spec does not
 * want a step that was interrupted in its middle to start again, or when it was interrupted too often.
 */
async function alreadyOver(
  deps: PipelineDeps,
  { run, spec, log, signal }: Pipeline,
  steps: Step[],
): Promise<Outcome | undefined> {
  const failed = steps.find((step) => step.state === 'failed');
  if (failed !== undefined) return await failedAt(deps, run, steps, failed);

  const open = steps.find((step) => step.state !== 'succeeded');
  if (open === undefined || signal.aborted) return undefined;
  if (run.attempts > MOST_ATTEMPTS) {
    const reason = `interrupted ${run.attempts - 1} times, the last time before step "${open.name}" had ended`;
    return await giveUp(deps, { run, log }, steps, open, reason);
  }
  if (open.attempts === 0 || spec.onInterrupt === 'restart') return undefined;
  const reason = `interrupted in step "${open.name}", and on-interrupt is fail`;
  return await giveUp(deps, { run, log }, steps, open, reason);
}

/** Ends a run that is not to be taken up once more at its step `open`. */
async function giveUp(
  deps: PipelineDeps,
  { run, log }: Pick<Pipeline, 'run' | 'log'>,
  steps: Step[],
  open: Step,
  reason: string,
): Promise<Outcome> {
  log.say(open.index, `Run failed: ${reason}`);
  await saveStep(deps, run, end(deps, open, 'cancelled', undefined, 'interrupted'));
  await skipRest(deps, run, steps, open.index + 1);
  return { kind: 'failed', fault: 'mainsheet', reason };
}

const some = (steps: readonly Step[], state: Step['state']) =>
  steps.some((step) => step.state === state);
const every = (steps: readonly Step[], state: Step['state']) =>
  steps.every((step) => step.state === state);

/**
 * Keeps which work tree the steps are done in. Those in `again` are to be done once more, because it is not the one that
 * they were done in: in one transaction, so that whoever takes the run up finds a tree in which all that is finished was done.
 */
async function begin(
  deps: PipelineDeps,
  { run, log }: Pipeline,
  tree: string,
  again: readonly Step[],
): Promise<void> {
  for (const step of again) Object.assign(step, UNTOUCHED);
  await retry({ clock: deps.clock, timeoutMs: STORE_TIMEOUT_MS }, () =>
    deps.store.lazily(async ({ runs, steps }) => {
      stillOurs(run, await runs.setWorkTree(run.id, tree, run.attempts));
      if (again.length > 0) await runs.setOutputs(run.id, NO_OUTPUTS, run.attempts);
      for (const step of again) await steps.update(run.id, step);
    }),
  );
  if (again.length === 0) return;
  log.say(-1, 'The work tree of the attempt before is not here: starting again at the first step');
}

const UNTOUCHED = {
  state: 'pending',
  attempts: 0,
  exitCode: undefined,
  reason: '',
  startedAt: undefined,
  finishedAt: undefined,
} satisfies Partial<Step>;

async function withoutFiles(
  deps: PipelineDeps,
  { run, log }: Pipeline,
  steps: Step[],
): Promise<Outcome> {
  const reason = 'interrupted, its work tree is lost, and on-interrupt is fail';
  log.say(-1, `Run failed: ${reason}`);
  await skipRest(deps, run, steps, 0);
  return { kind: 'failed', fault: 'mainsheet', reason };
}

async function failedAt(
  deps: PipelineDeps,
  run: Run,
  steps: Step[],
  failed: Step,
): Promise<Outcome> {
  await skipRest(deps, run, steps, failed.index + 1);
  const reason = `Step "${failed.name}" failed: ${failed.reason}`;
  return { kind: 'failed', fault: 'step', reason };
}

/**
 * The work tree, or why the run's revision is not to be deployed; undefined when the run is to stop. What may pass is tried
 * again for a while.
 */
async function checkOut(
  deps: PipelineDeps,
  { run, spec: { timeoutMs }, log, signal }: Pipeline,
  deadline: number,
  { again, begun }: { again: boolean; begun: boolean },
): Promise<Checkout | string | undefined> {
  const { lane, spec, repository, sha } = run;
  const until = Math.min(deadline, deps.clock.elapsed() + CHECKOUT_PATIENCE_MS);
  // The run's time is the checkout's too: time lost to git must not be told as a step's failure.
  const limit = AbortSignal.timeout(timeoutMs);
  const bounded = AbortSignal.any([signal, limit]);
  log.say(-1, `Checking out ${repository} at ${sha}`);
  // GitHub's servers do not all show a commit at once.
  const isYoung = () => deps.clock.now() - run.createdAt < CHECKOUT_PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const deployed = await deps.store.environments.get(lane, spec);
      if (deployed !== undefined) {
        const known = { order: deps.order, runs: deps.store.runs };
        const later = await laterThan(known, run, deployed, bounded);
        if (later !== undefined) {
          return lateReason(sha, { deployed: deployed.sha, later: later.sha, why: later.why });
        }
      }
      // Of a push that was noted intake has seen that its branch has it.
      const isSeen = begun || (await deps.store.pushes.isNoted(run.delivery));
      const unreached = isSeen ? undefined : await deps.order.whyUnreached(run, bounded);
      if (unreached !== undefined && !isYoung()) return unreached;
      if (unreached !== undefined) throw new RetryableError('not-there-yet', unreached);
      const mayKeep = run.attempts > 1 && !again;
      const before = mayKeep ? await deps.store.runs.workTree(run.id) : undefined;
      return await deps.checkouts.prepare({
        lane,
        repository,
        sha,
        keep: before,
        owner: deps.stepUser,
        signal: bounded,
      });
    } catch (error) {
      if (signal.aborted) return undefined;
      if (limit.aborted) {
        const reason = `the checkout took longer than the run's ${formatDuration(timeoutMs)}`;
        throw new MainsheetError('checkout-timeout', reason, { cause: error });
      }
      const delay = backoffDelay(attempt, CHECKOUT_BACKOFF);
      const hopeless = !(error instanceof RetryableError) || isWayOutProblem(error);
      if (hopeless || deps.clock.elapsed() + delay > until) throw error;
      log.say(-1, `${describeError(error)}; trying again in ${formatDuration(delay)}`);
      await deps.clock.sleep(delay, signal);
      if (signal.aborted) return undefined;
    }
  }
}

/** The run was cancelled, or its process has to stop: says so on the steps and tells which. */
async function stop(
  deps: PipelineDeps,
  { run, log, signal }: Pipeline,
  steps: Step[],
  current?: Step,
): Promise<Outcome> {
  const outcome = interrupted(signal);
  if (outcome.kind === 'interrupted') {
    if (current !== undefined) {
      log.say(current.index, 'Interrupted: the step starts again when the run goes on');
      await saveStep(deps, run, { ...current, state: 'pending', startedAt: undefined });
    }
    return outcome;
  }
  log.say(current?.index ?? -1, outcome.reason);
  if (current !== undefined) {
    await saveStep(deps, run, end(deps, current, 'cancelled', undefined, outcome.reason));
  }
  await skipRest(deps, run, steps, current === undefined ? 0 : current.index + 1);
  return outcome;
}

async function skipRest(deps: PipelineDeps, run: Run, steps: Step[], from: number): Promise<void> {
  for (const step of steps.slice(from)) {
    if (step.state === 'pending') await saveStep(deps, run, { ...step, state: 'skipped' });
  }
}

function end(
  deps: PipelineDeps,
  step: Step,
  state: Step['state'],
  exitCode: number | undefined,
  reason: string,
): Step {
  return { ...step, state, exitCode, reason, finishedAt: deps.clock.now() };
}

function reasonOf(
  result: Exclude<StepResult, { outcome: 'succeeded' | 'cancelled' }>,
  spec: DeploymentSpec,
  step: StepSpec,
  runIsOver: boolean,
): string {
  if (result.outcome === 'failed') return result.reason;
  // A late step may have had less than its own limit.
  const own = !runIsOver && step.timeoutMs !== undefined && step.timeoutMs < spec.timeoutMs;
  const limit = formatDuration(own ? (step.timeoutMs ?? 0) : spec.timeoutMs);
  return own ? `it took longer than its ${limit}` : `the run took longer than its ${limit}`;
}
