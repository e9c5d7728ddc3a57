import type { Seal } from '../lib/seal.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import type { Run, Step } from '../model/run.ts';
import { unansweredBefore } from '../steps/http.ts';
import type { Tables } from '../store/index.ts';
import { fromRow } from './kept.ts';

/** Retries of retries that are followed to the run that they repeat. */
export const MOST_RETRIES = 100;

/** Names an attempt at a step of a run. */
export function attemptIdOf(run: Pick<Run, 'id'>, { index, attempts }: Step): string {
  return `${run.id}-${index + 1}-${attempts}`;
}

/** The run that a retry by hand repeats; undefined when nothing is known of it. */
export async function repeatedBy(
  { audit, runs }: Pick<Tables, 'audit' | 'runs'>,
  retry: Run,
): Promise<Run | undefined> {
  const made = await audit.ofMade(retry);
  return made && (await runs.get(made.subject));
}

/**
 * What another attempt at a step begins with: that of an http step sends its request with the key of the attempt before, in this run or in
 * the one that it repeats, when no answer to that has come. `step`: as that attempt has left it.
 */
export async function keptForNext(
  tables: Pick<Tables, 'audit' | 'runs' | 'steps'>,
  seal: Seal,
  run: Run,
  { kind }: StepSpec,
  step: Step,
): Promise<string | undefined> {
  if (kind !== 'http') return undefined;
  let [of, before] = [run, step];
  for (let retries = 0; before.attempts === 0; retries += 1) {
    if (of.cause !== 'retry' || retries === MOST_RETRIES) return undefined;
    const repeated = await repeatedBy(tables, of);
    const found = repeated && (await tables.steps.ofRun(repeated.id))[step.index];
    if (repeated === undefined || found === undefined) return undefined;
    [of, before] = [repeated, found];
  }
  const kept = before.kept === undefined ? undefined : fromRow(before.kept, { run: of, seal });
  const isUnreadable = before.kept !== undefined && kept === undefined;
  return isUnreadable ? undefined : unansweredBefore(kept, attemptIdOf(of, before));
}
