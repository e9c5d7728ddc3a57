import type { StepSpec } from '../model/deployment-spec.ts';
import { createAwxStep } from './awx.ts';
import type { StepKind } from './contract.ts';
import { createHttpStep } from './http.ts';
import { createJenkinsStep } from './jenkins.ts';
import { createShellStep } from './shell.ts';
import { createSshStep } from './ssh.ts';
import { createTerraformStep } from './terraform.ts';
import { createWorkflowStep } from './workflow.ts';

/** All kinds of steps, each by its name in a spec. */
const KINDS = {
  awx: createAwxStep,
  http: createHttpStep,
  jenkins: createJenkinsStep,
  shell: createShellStep,
  ssh: createSshStep,
  terraform: createTerraformStep,
  workflow: createWorkflowStep,
} satisfies { [Kind in StepSpec['kind']]: unknown };

type All<Each> = (Each extends unknown ? (each: Each) => void : never) extends (
  all: infer Both,
) => void
  ? Both
  : never;

/** One step kind for all of them: hands each step to the kind that its spec names. `deps`: what any of them needs. */
export function createSteps(
  deps: All<Parameters<(typeof KINDS)[keyof typeof KINDS]>[0]>,
): StepKind<StepSpec> {
  const made = new Map(
    Object.entries(KINDS).map(([kind, create]) => [kind, create(deps) as StepKind<never>]),
  );
  return async (context) => await made.get(context.step.kind)!(context as never);
}
