import { callbacksForStep, toEntry } from '../callbacks/index.ts';
import type { ToldSpec } from '../callbacks/contract.ts';
import type { Run, Step } from '../model/run.ts';
import type { Tables } from '../store/index.ts';

/** Puts what tells of a step that has succeeded into the outbox, in the transaction that says so, and once if that is done again. */
export async function tellStep(
  { outbox, steps }: Pick<Tables, 'outbox' | 'steps'>,
  run: Run,
  spec: ToldSpec,
  step: Step,
  now: number,
): Promise<void> {
  const callbacks = callbacksForStep({ run, spec, step });
  if (callbacks.length === 0) return;
  const stored = (await steps.ofRun(run.id))[step.index];
  if (stored?.state === 'succeeded') return;
  const added = callbacks.map((callback) => toEntry(callback, spec.notify));
  await outbox.add(run.id, added, now);
}
