import type { DeploymentSpec } from '../model/deployment-spec.ts';
import { judgeGates, overrideText, type Gate, type GatesVerdict } from '../model/gate.ts';
import { pauseReason, withoutReason } from '../model/pause.ts';
import { isProtection, LONGEST_WAIT_MS } from '../model/protection.ts';
import type { NewRun, Run } from '../model/run.ts';
import { approvalOf, judgeStepGate, type StepGate } from '../model/step-gate.ts';
import type { Tables } from '../store/index.ts';

/** Why a run does not start, and when to look again; `expired`: why it never will. */
export interface Wait {
  reason: string;
  lookAt: number | undefined;
  expired?: string | undefined;
}

/** Whether specs of other repositories than the run's deploy in its lane. */
export type SharesLane = (run: Pick<Run, 'lane' | 'repository'>) => boolean;

/**
 * What keeps a run from starting or going on now: a pause, what its step waits for, or the gates of its spec. A job of Actions waits
 * only as long as GitHub lets it.
 */
export async function waitOf(
  tables: Pick<Tables, 'pauses' | 'gates' | 'batches'>,
  run: NewRun,
  spec: Pick<DeploymentSpec, 'gates' | 'steps'>,
  now: number,
  sharesLane: SharesLane = () => false,
): Promise<Wait | undefined> {
  const wait = await heldBy(tables, run, spec, now, sharesLane);
  if (wait === undefined || !isProtection(run)) return wait;
  const until = run.createdAt + LONGEST_WAIT_MS;
  return now < until
    ? { ...wait, lookAt: Math.min(wait.lookAt ?? until, until) }
    : { ...wait, expired: 'GitHub Actions has waited for 30 days, and waits no longer' };
}

async function heldBy(
  tables: Pick<Tables, 'pauses' | 'gates' | 'batches'>,
  run: NewRun,
  { gates, steps }: Pick<DeploymentSpec, 'gates' | 'steps'>,
  now: number,
  sharesLane: SharesLane,
): Promise<Wait | undefined> {
  const pause = await tables.pauses.holding(run);
  if (pause !== undefined) {
    // Who sees the run may not see the other repositories, and those may be what the pause is about.
    const isShared =
      pause.kind === 'lane' &&
      (sharesLane(run) || (await tables.pauses.isLaneOfOthers(run.lane, run.repository)));
    const told = isShared ? withoutReason(pause) : pause;
    return { reason: pauseReason(told), lookAt: undefined };
  }
  const { verdict: step } = (await stepGateOf(tables, run, steps, now)) ?? {};
  if (step?.isOpen === false) return step;
  if (gates.length === 0) return undefined;
  const answers = await tables.gates.answersTo(run.id);
  const verdict = judgeGates(gates, { answers, since: await waitingSince(tables, run), now });
  return verdict.isOpen ? undefined : verdict;
}

/** Since when a run waits at its gates: since it was made, or since it has all of its events. */
export async function waitingSince(
  { batches }: Pick<Tables, 'batches'>,
  { id, batch, createdAt }: NewRun,
): Promise<number> {
  if (batch !== id) return createdAt;
  return (await batches.view(id))?.closedAt ?? createdAt;
}

/** What a step of a run that has begun waits for, or waited for last, as it is now. */
export async function stepGateOf(
  tables: Pick<Tables, 'gates'>,
  run: Pick<Run, 'id' | 'startedAt'>,
  steps: DeploymentSpec['steps'],
  now: number,
): Promise<{ held: StepGate; verdict: GatesVerdict } | undefined> {
  const held = run.startedAt === undefined ? undefined : await tables.gates.ofStep(run.id);
  const gate = held && approvalOf(steps[held.step]);
  if (held === undefined || gate === undefined) return undefined;
  const answers = await tables.gates.answersTo(run.id);
  return { held, verdict: judgeStepGate(gate, held, { answers, now }) };
}

/** Who has overridden the windows of a run, and why. */
export async function overrideOf(
  tables: Pick<Tables, 'gates'>,
  run: Pick<Run, 'id'>,
  gates: readonly Gate[],
): Promise<string | undefined> {
  if (!gates.some(({ kind }) => kind === 'window')) return undefined;
  const override = (await tables.gates.answersTo(run.id)).find(({ kind }) => kind === 'override');
  return override && overrideText(override);
}
