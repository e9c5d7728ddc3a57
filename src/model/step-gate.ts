import type { DeploymentSpec, StepSpec } from './deployment-spec.ts';
import {
  describeGate,
  judgeGates,
  type ApproveGate,
  type GateAnswer,
  type GatesVerdict,
} from './gate.ts';
import type { Run, Step } from './run.ts';

/** What a run waits for that has begun: people look at what its step is about to do. */
export interface StepGate {
  /** The step's position. */
  step: number;
  /** What the step is about to do, by a name of its own: an approval is for that alone. */
  id: string;
  /** Milliseconds since the epoch. */
  since: number;
  /** What it is about to do, for people. */
  detail: string;
}

/** The step in whose middle a run waits for people: they want to see what it is about to do. */
export function waitingStep(
  { state }: Pick<Run, 'state'>,
  steps: readonly Step[],
): Step | undefined {
  if (state !== 'blocked') return undefined;
  return steps.find((step) => step.state === 'pending' && step.attempts > 0);
}

/** Who has to approve what a step is about to do; undefined for a step that asks no one. */
export function approvalOf(step: StepSpec | undefined): ApproveGate | undefined {
  return step?.approval?.gate;
}

/** What the runs of a spec wait for, each in a line: before they start, and in their middle. */
export function describeWaits({ gates, steps }: Pick<DeploymentSpec, 'gates' | 'steps'>): string[] {
  const plans = steps.flatMap(({ name, approval }) => {
    if (approval === undefined || approval.when === 'never') return [];
    const when = approval.when === 'changes' ? ', when it changes something' : '';
    return [`the plan of ${name}: ${describeGate(approval.gate)}${when}`];
  });
  return [...gates.map(describeGate), ...plans];
}

/** How an answer to a step's gate is kept, so that it counts for nothing else. */
export const answerKind = ({ id }: Pick<StepGate, 'id'>) => `step:${id}` as const;

/** The answers to a step's gate, as those to the only gate of a list. Pure. */
export function answersToStep(answers: readonly GateAnswer[], held: StepGate): GateAnswer[] {
  return answers
    .filter(({ kind }) => kind === answerKind(held))
    .map((answer) => ({ ...answer, kind: 'approve', gates: [0] }));
}

/** Whether the step may go on, and what it waits for if not. Pure. */
export function judgeStepGate(
  gate: ApproveGate,
  held: StepGate,
  { answers, now }: { answers: readonly GateAnswer[]; now: number },
): GatesVerdict {
  const own = answersToStep(answers, held);
  const verdict = judgeGates([gate], { answers: own, since: held.since, now });
  return { ...verdict, reason: `${verdict.reason}: ${held.detail}` };
}
