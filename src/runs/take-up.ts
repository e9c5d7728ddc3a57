import { retry } from '../lib/retry.ts';
import type { Checkout } from '../git/checkouts.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Run, Step } from '../model/run.ts';
import { stepKindOf } from '../steps/index.ts';
import { ended, failedAt, skipRest } from './end-steps.ts';
import { fromRow } from './kept.ts';
import type { Outcome } from './outcome.ts';
import { NO_OUTPUTS } from './outputs.ts';
import {
  stillOurs,
  saveStep,
  STORE_TIMEOUT_MS,
  type Pipeline,
  type PipelineDeps,
} from './pipeline-context.ts';

/** A run that was taken up so often and never came to its end may be what ends Mainsheet: its step takes all memory, for example. */
const MOST_ATTEMPTS = 20;

/**
 * Of a run that is taken up again: its end, when a step had failed for good before the process died, when the spec does not
 * want a step that was interrupted in its middle to start again, or when it was interrupted too often.
 */
export async function alreadyOver(
  deps: PipelineDeps,
  { run, spec, log, signal }: Pipeline,
  steps: readonly Step[],
): Promise<Outcome | undefined> {
  if (run.attempts <= 1) return undefined;
  const failed = steps.find((step) => step.state === 'failed');
  if (failed !== undefined) return await failedAt(deps, run, steps, failed);

  const open = steps.find((step) => step.state !== 'succeeded');
  if (open === undefined || signal.aborted) return undefined;
  const isTooOften = run.attempts > MOST_ATTEMPTS;
  const mayGoOn =
    open.attempts === 0 || spec.onInterrupt === 'restart' || hasGoneOn(deps, run, spec, open);
  if (!isTooOften && mayGoOn) return undefined;
  const reason = isTooOften
    ? `interrupted ${run.attempts - 1} times, the last time before step "${open.name}" had ended`
    : `interrupted in step "${open.name}", and on-interrupt is fail`;
  log.say(open.index, `Run failed: ${reason}`);
  await saveStep(deps, run, ended(deps, open, 'cancelled', undefined, 'interrupted'));
  await skipRest(deps, run, steps, open.index + 1);
  return { kind: 'failed', fault: 'mainsheet', reason };
}

/** Whether it is known what the step has started elsewhere, which went on meanwhile. */
function hasGoneOn(
  { seal }: PipelineDeps,
  run: Run,
  spec: DeploymentSpec,
  { index, kept }: Step,
): boolean {
  if (kept === undefined) return false;
  const text = fromRow(kept, { run, seal });
  const own = spec.steps[index];
  const isInDoubt = own && stepKindOf(own).isInDoubt;
  return isInDoubt === undefined || text === undefined || !isInDoubt(text);
}

/**
 * Settles in which work tree the steps are done. What finished steps have left there, a build for example, is what the
 * others go on with: in another tree all are done once more, or the run fails where its spec says so. One transaction has
 * that and the tree's name, so that a run that is taken up finds a tree in which all that is finished was done.
 */
export async function settle(
  deps: PipelineDeps,
  { run, spec, log }: Pipeline,
  steps: readonly Step[],
  place: Checkout,
): Promise<{ fromTheStart: boolean } | Outcome> {
  if (place.kept) return { fromTheStart: false };
  const succeeded = steps.filter(({ state }) => state === 'succeeded').length;
  const fromTheStart = succeeded > 0 && succeeded < steps.length;
  if (fromTheStart && spec.onInterrupt === 'fail') {
    const reason = 'interrupted, its work tree is lost, and on-interrupt is fail';
    log.say(-1, `Run failed: ${reason}`);
    await skipRest(deps, run, steps, 0);
    return { kind: 'failed', fault: 'mainsheet', reason };
  }
  const again = fromTheStart ? steps : [];
  for (const step of again) Object.assign(step, UNTOUCHED);
  await retry({ clock: deps.clock, timeoutMs: STORE_TIMEOUT_MS }, () =>
    deps.store.lazily(async (tables) => {
      stillOurs(run, await tables.runs.setWorkTree(run.id, place.name, run.attempts));
      if (fromTheStart) await tables.runs.setOutputs(run.id, NO_OUTPUTS, run.attempts);
      for (const step of again) await tables.steps.update(run.id, step);
    }),
  );
  if (fromTheStart) {
    log.say(
      -1,
      'The work tree of the attempt before is not here: starting again at the first step',
    );
  }
  return { fromTheStart };
}

const UNTOUCHED = {
  state: 'pending',
  attempts: 0,
  exitCode: undefined,
  reason: '',
  startedAt: undefined,
  finishedAt: undefined,
} satisfies Partial<Step>;
