import type { Step } from '../model/run.ts';
import type { StepGate } from '../model/step-gate.ts';

/** How an execution ended. `waiting`: its step goes on, as `step` says, when people have approved. `interrupted`: not over, another process (or this one, later) goes on with it. */
export type Outcome =
  | { kind: 'succeeded'; outputs: Record<string, string> }
  | { kind: 'failed'; fault: 'step' | 'mainsheet'; reason: string; hint?: string }
  | { kind: 'cancelled'; reason: string }
  | { kind: 'superseded'; reason: string }
  | { kind: 'waiting'; step: Step; gate: StepGate }
  | { kind: 'interrupted' };

/** Why a run's signal was aborted: the `reason` given to `AbortController.abort`. */
export type Interruption = { kind: 'cancel'; reason: string } | { kind: 'interrupt' };

/** What the abortion of a run's signal means for the run. */
export function interrupted(
  signal: AbortSignal,
): Extract<Outcome, { kind: 'cancelled' | 'interrupted' }> {
  const why = signal.reason as Interruption | undefined;
  return why?.kind === 'cancel'
    ? { kind: 'cancelled', reason: why.reason }
    : { kind: 'interrupted' };
}
