import type { StepSpec } from '../model/deployment-spec.ts';
import type { StepKind } from './contract.ts';

/** All kinds of steps, each by its name in a spec. */
export type StepKinds = {
  [Kind in StepSpec['kind']]: StepKind<Extract<StepSpec, { kind: Kind }>>;
};

/** One step kind for all of them: hands each step to the kind that its spec names. */
export function createSteps(kinds: StepKinds): StepKind<StepSpec> {
  return (context) => (kinds[context.step.kind] as StepKind<StepSpec>)(context);
}
