import { join } from 'node:path';
import { backoffDelay } from '../lib/backoff.ts';
import { cutText } from '../lib/cut-text.ts';
import { formatDuration } from '../lib/duration.ts';
import { createFairTurn } from '../lib/fair-turn.ts';
import { makeOwn } from '../lib/hand-over.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import { stepNumber, type Step } from '../model/run.ts';
import { renderTemplate } from '../spec/expressions.ts';
import { expressionContext, inputsOfRun } from './expression-context.ts';
import { fromRow, toRow } from './kept.ts';
import { interrupted } from './outcome.ts';
import type { StepContext, StepResult } from '../steps/contract.ts';
import { stepEnvironment } from '../steps/environment.ts';
import { attemptIdOf, keptForNext } from './unanswered.ts';
import { saveStep, stillOurs, type Pipeline, type PipelineDeps } from './pipeline-context.ts';
import { eventPathOf, eventsPathOf, homeOf } from './scratch.ts';

/** A retry never waits longer than this between two attempts of a step. */
const LONGEST_BACKOFF_MS = 5 * 60_000;

/** Characters of why a step failed, which another system may have said. */
const LONGEST_REASON = 1000;

const UNREADABLE: StepResult = {
  outcome: 'failed',
  exitCode: undefined,
  reason:
    'what it had kept before the restart cannot be read on this machine; look whether it is done before it is tried again',
};

/** One step's turn in its run. */
interface StepTurn {
  step: Step;
  stepSpec: StepSpec;
  directory: string;
  /** By the clock's `elapsed`. */
  deadline: number;
  outputs: Record<string, string>;
  /** As `StepContext.approved`. */
  approved: string | undefined;
}

/** All attempts of one step. */
export async function runStep(
  deps: PipelineDeps,
  pipeline: Pipeline,
  turn: StepTurn,
): Promise<StepResult> {
  const { run, log, signal } = pipeline;
  const { step, stepSpec, deadline } = turn;
  // An attempt that was interrupted goes on as the same one.
  const first = Math.max(1, step.attempts);
  const kept = step.kept === undefined ? undefined : fromRow(step.kept, { run, seal: deps.seal });
  if (step.kept !== undefined && kept === undefined) return UNREADABLE;
  for (let attempt = first; ; attempt += 1) {
    const isNew = attempt > first || (step.attempts === 0 && step.kept === undefined);
    // What an attempt has started is its own.
    const next = isNew ? await keptForNext(deps.store, deps.seal, run, stepSpec, step) : undefined;
    const started: Step = {
      ...step,
      state: 'running',
      attempts: attempt,
      startedAt: step.startedAt ?? deps.clock.now(),
      kept: isNew ? next : step.kept,
    };
    Object.assign(step, started);
    await saveStep(deps, run, step);
    const times = stepSpec.retry.attempts > 1 ? ` (attempt ${attempt})` : '';
    const number = stepNumber(step.index);
    const title = step.name === number ? number : `${number}: ${step.name}`;
    log.say(step.index, `${title}${times}`);

    const timeLeft = deadline - deps.clock.elapsed();
    const own = isNew ? next : kept;
    const told = await attemptStep(deps, pipeline, { ...turn, kept: own }, attempt, timeLeft);
    const result = await withShortReason(told, pipeline.maskLong);
    log.endStep(step.index, signal.aborted && interrupted(signal).kind === 'interrupted');
    if ('kept' in result || result.outcome === 'succeeded' || result.outcome === 'cancelled')
      return result;
    if (attempt >= stepSpec.retry.attempts || deps.clock.elapsed() >= deadline) return result;

    const delay = backoffDelay(attempt, {
      baseMs: stepSpec.retry.backoffMs,
      maxMs: LONGEST_BACKOFF_MS,
    });
    log.say(step.index, `${result.reason}; trying again in ${formatDuration(delay)}`);
    await deps.clock.sleep(Math.min(delay, deadline - deps.clock.elapsed()), signal);
    if (signal.aborted) return { outcome: 'cancelled', reason: 'cancelled between two attempts' };
  }
}

/** Masked before it is cut, so that no half of a secret stays, and in turns, since it may be long. */
async function withShortReason(
  result: StepResult,
  maskLong: Pipeline['maskLong'],
): Promise<StepResult> {
  if (result.outcome !== 'failed' || result.reason.length <= LONGEST_REASON) return result;
  return { ...result, reason: cutText(await maskLong(result.reason), LONGEST_REASON) };
}

async function attemptStep(
  deps: PipelineDeps,
  pipeline: Pipeline,
  turn: StepTurn & Pick<StepContext, 'kept'>,
  attempt: number,
  timeLeft: number,
): Promise<StepResult> {
  const { run, spec, secrets, payload, log, signal } = pipeline;
  const { step, stepSpec, directory, outputs } = turn;
  const scratch = join(pipeline.scratch, `${step.index}-${attempt}`);
  await makeOwn(scratch, deps.stepUser);
  const home = deps.stepUser === undefined ? {} : { HOME: homeOf(pipeline.scratch) };
  const context = { ...expressionContext({ ...run, outputs }, spec, payload), outputs, secrets };
  const rendered: [string, string][] = [];
  const fairTurn = createFairTurn();
  for (const [name, value] of Object.entries({ ...spec.env, ...stepSpec.env })) {
    await fairTurn();
    rendered.push([name, renderTemplate(value, context)]);
  }
  const written = Object.fromEntries(rendered);
  return await deps.steps({
    step: stepSpec,
    attemptId: attemptIdOf(run, step),
    directory,
    scratch,
    env: stepEnvironment({
      run,
      eventPath: eventPathOf(pipeline.scratch),
      eventsPath: spec.batch === undefined ? '' : eventsPathOf(pipeline.scratch),
      outputPath: join(scratch, 'output'),
      workspace: directory,
      inherited: { ...deps.inherited, ...home },
      inputs: inputsOfRun(run, payload),
      env: written,
      secrets,
    }),
    written,
    values: context,
    kept: turn.kept,
    approved: turn.approved,
    keep: async (text) => {
      step.kept = await toRow(text, { run, maskLong: pipeline.maskLong, seal: deps.seal });
      await saveStep(deps, run, step);
    },
    logAndKeep: async (output, keptOf, stream = 'stdout') => {
      await log.writeWith(step.index, stream, output, async (tables, held) => {
        step.kept = keptOf(held);
        stillOurs(run, await tables.steps.update(run.id, step, run.attempts));
      });
    },
    secrets,
    log: (stream, text) => log.write(step.index, stream, text),
    signal,
    // What is left by the monotonic clock has fractions, which timers of signals refuse.
    timeoutMs: Math.ceil(Math.max(1, Math.min(stepSpec.timeoutMs ?? timeLeft, timeLeft))),
  });
}
