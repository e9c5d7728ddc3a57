import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Broadcast } from '../lib/broadcast.ts';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { maskText } from '../lib/masking.ts';
import type { Checkouts } from '../git/checkouts.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { News } from '../model/news.ts';
import type { Run, Step } from '../model/run.ts';
import { renderTemplate } from '../spec/expressions.ts';
import type { StepKind, StepResult } from '../steps/contract.ts';
import { stepEnvironment } from '../steps/environment.ts';
import type { Store } from '../store/index.ts';
import { createRunLog, type RunLog } from './run-log.ts';
import type { SpecReader } from './snapshot.ts';

/** A retry never waits longer than this between two attempts of a step. */
const LONGEST_BACKOFF_MS = 5 * 60_000;

/** How an execution ended. `interrupted`: not over, somebody else (or this process, later) goes on with it. */
export type Outcome =
  | { kind: 'succeeded'; outputs: Record<string, string> }
  | { kind: 'failed'; fault: 'step' | 'mainsheet'; reason: string }
  | { kind: 'cancelled'; reason: string }
  | { kind: 'interrupted' };

/** Why a run's signal was aborted: the `reason` given to `AbortController.abort`. */
export type Interruption = { kind: 'cancel'; reason: string } | { kind: 'interrupt' };

/** Runs the steps of a run that is claimed. Changes step rows and the log; the run's own state is the caller's. */
export type Execute = (run: Run, signal: AbortSignal) => Promise<Outcome>;

export interface ExecuteDeps {
  store: Store;
  checkouts: Checkouts;
  steps: StepKind<StepSpec>;
  specOf: SpecReader;
  /** The value of a secret, by its name. */
  secret: (name: string) => string | undefined;
  /** Where steps keep their files, outside every checkout. */
  scratchDirectory: string;
  /** What steps inherit of the controller's environment: PATH, HOME, LANG, TZ. */
  inherited: Record<string, string | undefined>;
  maxLogBytes: number;
  clock: Clock;
  news: Broadcast<News>;
}

export function createExecute(deps: ExecuteDeps): Execute {
  return async (run, signal) => {
    const scratch = join(deps.scratchDirectory, run.id);
    let log: RunLog | undefined;
    try {
      const spec = await deps.specOf(deps.store, run.specDigest);
      const secrets = readSecrets(spec, deps.secret);
      log = await createRunLog({
        logs: deps.store.logs,
        run: run.id,
        secrets: Object.values(secrets),
        maxBytes: deps.maxLogBytes,
        clock: deps.clock,
        news: deps.news,
      });
      const payload = await writePayload(deps.store, run, scratch);
      const pipeline = { run, spec, secrets, payload, scratch, log, signal };
      const outcome = await runPipeline(deps, pipeline);
      await log.close();
      return outcome;
    } catch (error) {
      if (signal.aborted) return interrupted(signal);
      const reason = describeError(error);
      log?.say(-1, `Mainsheet failed: ${reason}`);
      return { kind: 'failed', fault: 'mainsheet', reason };
    } finally {
      // A log that cannot be stored has failed the run above already, or the run has ended without it.
      await log?.close().catch(() => undefined);
      await rm(scratch, { recursive: true, force: true });
    }
  };
}

interface Pipeline {
  run: Run;
  spec: DeploymentSpec;
  secrets: Record<string, string>;
  payload: Json;
  scratch: string;
  log: RunLog;
  signal: AbortSignal;
}

async function runPipeline(deps: ExecuteDeps, pipeline: Pipeline): Promise<Outcome> {
  const { run, spec, log, signal } = pipeline;
  // From now and not from `startedAt`: a run that is taken up again has its whole time.
  const deadline = deps.clock.now() + spec.timeoutMs;
  const steps = await deps.store.steps.ofRun(run.id);

  log.say(-1, `Checking out ${run.repository} at ${run.sha}`);
  const { directory } = await deps.checkouts.prepare({
    lane: run.lane,
    repository: run.repository,
    sha: run.sha,
    signal,
  });

  let { outputs } = run;
  for (const [index, stepSpec] of spec.steps.entries()) {
    const step = steps[index];
    if (step === undefined) throw new MainsheetError('step-missing', `step ${index} has no row`);
    if (step.state === 'succeeded') continue;
    if (signal.aborted) return await stop(deps, pipeline, steps);

    const timeLeft = deadline - deps.clock.now();
    const result: StepResult =
      timeLeft <= 0
        ? { outcome: 'timed-out', reason: 'no time was left for it' }
        : await runStep(deps, pipeline, { step, stepSpec, directory, deadline, outputs });
    if (result.outcome === 'cancelled') return await stop(deps, pipeline, steps, step);

    if (result.outcome === 'succeeded') {
      outputs = { ...outputs, ...masked(result.outputs, pipeline.secrets) };
      await deps.store.atomically(async (tables) => {
        await tables.steps.update(run.id, end(deps, step, 'succeeded', result.exitCode, ''));
        await tables.runs.setOutputs(run.id, outputs);
      });
      announce(deps, run, step, 'succeeded');
      continue;
    }
    const exitCode = result.outcome === 'failed' ? result.exitCode : undefined;
    const reason = maskText(Object.values(pipeline.secrets), timeoutReason(result, spec, stepSpec));
    log.say(index, `Step "${step.name}" failed: ${reason}`);
    await settle(deps, run, end(deps, step, 'failed', exitCode, reason));
    await skipRest(deps, run, steps, index + 1);
    return { kind: 'failed', fault: 'step', reason: `Step "${step.name}" failed: ${reason}` };
  }
  return { kind: 'succeeded', outputs };
}

interface StepTurn {
  step: Step;
  stepSpec: StepSpec;
  directory: string;
  deadline: number;
  outputs: Record<string, string>;
}

/** All attempts of one step. */
async function runStep(deps: ExecuteDeps, pipeline: Pipeline, turn: StepTurn): Promise<StepResult> {
  const { run, log, signal } = pipeline;
  const { step, stepSpec, deadline } = turn;
  for (let attempt = 1; ; attempt += 1) {
    const started: Step = {
      ...step,
      state: 'running',
      attempts: attempt,
      startedAt: step.startedAt ?? deps.clock.now(),
    };
    Object.assign(step, started);
    await settle(deps, run, step);
    const times = stepSpec.retry.attempts > 1 ? ` (attempt ${attempt})` : '';
    log.say(step.index, `Step ${step.index + 1}: ${step.name}${times}`);

    const timeLeft = deadline - deps.clock.now();
    const result = await attemptStep(deps, pipeline, turn, attempt, timeLeft);
    log.endStep(step.index);
    const final = result.outcome === 'succeeded' || result.outcome === 'cancelled';
    if (final || attempt >= stepSpec.retry.attempts || deps.clock.now() >= deadline) return result;

    const delay = backoffDelay(attempt, {
      baseMs: stepSpec.retry.backoffMs,
      maxMs: LONGEST_BACKOFF_MS,
    });
    log.say(step.index, `${result.reason}; trying again in ${formatDuration(delay)}`);
    await deps.clock.sleep(Math.min(delay, deadline - deps.clock.now()), signal);
    if (signal.aborted) return { outcome: 'cancelled', reason: 'cancelled between two attempts' };
  }
}

async function attemptStep(
  deps: ExecuteDeps,
  pipeline: Pipeline,
  turn: StepTurn,
  attempt: number,
  timeLeft: number,
): Promise<StepResult> {
  const { run, spec, secrets, payload, log, signal } = pipeline;
  const { step, stepSpec, directory, outputs } = turn;
  const scratch = join(pipeline.scratch, `${step.index}-${attempt}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const context = { run, spec, event: payload, outputs, secrets };
  const written = { ...spec.env, ...stepSpec.env };
  const rendered = Object.fromEntries(
    Object.entries(written).map(([name, value]) => [name, renderTemplate(value, context)]),
  );
  return await deps.steps({
    step: stepSpec,
    directory,
    scratch,
    env: stepEnvironment({
      run,
      eventPath: join(pipeline.scratch, 'event.json'),
      outputPath: join(scratch, 'output'),
      workspace: directory,
      inherited: deps.inherited,
      env: rendered,
      secrets,
    }),
    log: (stream, text) => log.write(step.index, stream, text),
    signal,
    timeoutMs: Math.max(1, Math.min(stepSpec.timeoutMs ?? timeLeft, timeLeft)),
  });
}

/** The run was cancelled, or its process has to stop: says so on the steps and tells which. */
async function stop(
  deps: ExecuteDeps,
  pipeline: Pipeline,
  steps: Step[],
  current?: Step,
): Promise<Outcome> {
  const outcome = interrupted(pipeline.signal);
  if (outcome.kind === 'interrupted') {
    if (current !== undefined) {
      pipeline.log.say(current.index, 'Interrupted: the step starts again when the run goes on');
      await settle(deps, pipeline.run, { ...current, state: 'pending', startedAt: undefined });
    }
    return outcome;
  }
  const reason = outcome.kind === 'cancelled' ? outcome.reason : '';
  pipeline.log.say(current?.index ?? -1, reason);
  if (current !== undefined) {
    await settle(deps, pipeline.run, end(deps, current, 'cancelled', undefined, reason));
  }
  await skipRest(deps, pipeline.run, steps, current === undefined ? 0 : current.index + 1);
  return outcome;
}

function interrupted(signal: AbortSignal): Outcome {
  const why = signal.reason as Interruption | undefined;
  return why?.kind === 'cancel'
    ? { kind: 'cancelled', reason: why.reason }
    : { kind: 'interrupted' };
}

async function skipRest(deps: ExecuteDeps, run: Run, steps: Step[], from: number): Promise<void> {
  for (const step of steps.slice(from)) {
    if (step.state === 'pending') await settle(deps, run, { ...step, state: 'skipped' });
  }
}

async function settle(deps: ExecuteDeps, run: Run, step: Step): Promise<void> {
  await deps.store.steps.update(run.id, step);
  announce(deps, run, step, step.state);
}

function announce(deps: ExecuteDeps, run: Run, step: Step, state: string): void {
  deps.news.publish({ kind: 'step', run: run.id, step: step.index, state });
}

function end(
  deps: ExecuteDeps,
  step: Step,
  state: Step['state'],
  exitCode: number | undefined,
  reason: string,
): Step {
  return { ...step, state, exitCode, reason, finishedAt: deps.clock.now() };
}

function timeoutReason(
  result: Exclude<StepResult, { outcome: 'succeeded' | 'cancelled' }>,
  spec: DeploymentSpec,
  step: StepSpec,
): string {
  if (result.outcome === 'failed') return result.reason;
  const own = step.timeoutMs !== undefined && step.timeoutMs < spec.timeoutMs;
  const limit = formatDuration(own ? (step.timeoutMs ?? 0) : spec.timeoutMs);
  return own ? `it took longer than its ${limit}` : `the run took longer than its ${limit}`;
}

/** Outputs are stored and shown, so a secret in one is masked like in the log (G8). */
function masked(
  outputs: Record<string, string>,
  secrets: Record<string, string>,
): Record<string, string> {
  const values = Object.values(secrets);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, maskText(values, value)]),
  );
}

/** Throws MainsheetError `secret-missing`, naming every secret that is not set. */
function readSecrets(
  spec: DeploymentSpec,
  secret: (name: string) => string | undefined,
): Record<string, string> {
  const found = spec.secrets.map((name) => [name, secret(name)] as const);
  const missing = found.filter(([, value]) => value === undefined).map(([name]) => name);
  if (missing.length > 0) {
    throw new MainsheetError('secret-missing', `no value is set for ${missing.join(', ')}`, {
      hint: 'set MAINSHEET_SECRET_<NAME>, or put a file of that name into MAINSHEET_SECRETS_DIR',
    });
  }
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}

/** Writes the event's payload where steps can read it, and returns it parsed. */
async function writePayload(store: Store, run: Run, scratch: string): Promise<Json> {
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const stored = await store.inbox.get(run.delivery);
  const payload = stored?.payload ?? '{}';
  await writeFile(join(scratch, 'event.json'), payload, { mode: 0o600 });
  return JSON.parse(payload) as Json;
}
