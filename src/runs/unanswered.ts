import type { Seal } from '../lib/seal.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import type { Run, Step } from '../model/run.ts';
import { stepKindOf } from '../steps/index.ts';
import type { Tables } from '../store/index.ts';
import { fromRow } from './kept.ts';

/** Runs of one revision that are looked at for the last try of a step. */
const MOST_TRIES = 100;

/** Names an attempt at a step of a run. */
export function attemptIdOf(run: Pick<Run, 'id'>, { index, attempts }: Step): string {
  return `${run.id}-${index + 1}-${attempts}`;
}

/**
 * What another attempt at a step begins with, as its kind says (`unanswered`), after the attempt before: in this run or, of a retry by hand,
 * in the last one that came to the step. `step`: as that attempt has left it.
 */
export async function keptForNext(
  tables: Pick<Tables, 'runs' | 'steps'>,
  seal: Seal,
  run: Run,
  stepSpec: StepSpec,
  step: Step,
): Promise<string | undefined> {
  const { unanswered } = stepKindOf(stepSpec);
  if (unanswered === undefined) return undefined;
  const last = step.attempts > 0 ? { run, step } : await lastTry(tables, run, step.index);
  if (last === undefined) return undefined;
  const { kept: row } = last.step;
  const kept = row === undefined ? undefined : fromRow(row, { run: last.run, seal });
  const isUnreadable = row !== undefined && kept === undefined;
  return isUnreadable ? undefined : unanswered(kept, attemptIdOf(last.run, last.step));
}

/** Of a retry by hand. The runs that repeat one another have its delivery, and its spec as it was. */
async function lastTry(
  { runs, steps }: Pick<Tables, 'runs' | 'steps'>,
  { cause, sequence, spec, lane, delivery, specDigest }: Run,
  index: number,
): Promise<{ run: Run; step: Step } | undefined> {
  if (cause !== 'retry') return undefined;
  const page = { limit: MOST_TRIES, before: sequence };
  for (const run of (await runs.list(page, { spec, lane, delivery })).items) {
    const step = (await steps.ofRun(run.id))[index];
    if (run.specDigest === specDigest && step !== undefined && step.attempts > 0)
      return { run, step };
  }
  return undefined;
}
