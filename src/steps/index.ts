import type { StepSpec } from '../model/deployment-spec.ts';
import type { StepKindName } from '../spec/steps/index.ts';
import { awxStep } from './awx.ts';
import type { DoStep, StepKind } from './contract.ts';
import { httpStep } from './http.ts';
import { jenkinsStep } from './jenkins.ts';
import { shellStep } from './shell.ts';
import { sshStep } from './ssh.ts';
import { terraformStep } from './terraform.ts';
import { workflowStep } from './workflow.ts';

/** What all kinds of steps do. */
const KINDS = {
  awx: awxStep,
  http: httpStep,
  jenkins: jenkinsStep,
  shell: shellStep,
  ssh: sshStep,
  terraform: terraformStep,
  workflow: workflowStep,
} satisfies { [Kind in StepKindName]: StepKind<never, never> };

type All<Kind> = (
  Kind extends { create(deps: infer Each): unknown } ? (each: Each) => void : never
) extends (all: infer Both) => void
  ? Both
  : never;

/** What any of the kinds needs. */
type Deps = All<(typeof KINDS)[keyof typeof KINDS]>;

/** What is known of a step's kind. */
export function stepKindOf({ kind }: Pick<StepSpec, 'kind'>): StepKind<StepSpec, Deps> {
  return KINDS[kind as StepKindName] as StepKind<never, Deps> as StepKind<StepSpec, Deps>;
}

/** Does steps of all kinds. */
export function createSteps(deps: Deps): DoStep<StepSpec> {
  const made = new Map(Object.entries(KINDS).map(([kind, { create }]) => [kind, create(deps)]));
  return async (context) => await made.get(context.step.kind)!(context as never);
}
