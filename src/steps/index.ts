import type { ShellStepSpec, StepSpec } from '../model/deployment-spec.ts';
import type { StepKind } from './contract.ts';

/** One step kind for all of them: hands each step to the kind that its spec names. */
export function createSteps(kinds: { shell: StepKind<ShellStepSpec> }): StepKind<StepSpec> {
  return async (context) => {
    const { step } = context;
    switch (step.kind) {
      case 'shell':
        return await kinds.shell({ ...context, step });
      default:
        return step.kind satisfies never;
    }
  };
}
