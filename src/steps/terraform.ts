import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { makeOwn, type SystemUser } from '../lib/hand-over.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import type { TerraformStepSpec } from '../spec/steps/terraform.ts';
import { renderJson, renderTemplate } from '../spec/expressions.ts';
import type { DoStep, StepContext, StepKind, StepResult } from './contract.ts';
import type { PlanFiles } from './plan-files.ts';
import { failedStep, readKept, succeeded } from './ending.ts';
import type { RunProgram } from './run-program.ts';
import { openTerraform, type Terraform } from './terraform-program.ts';
import { writeNew } from './write-new.ts';

/** How long it waits for the lock of the state. */
const LOCK = '-lock-timeout=60s';
const NEVER_ASK = '-input=false';
/** Of `plan -detailed-exitcode`: https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode */
const CHANGES = 2;
const WORKSPACE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,89}$/;
const MOST_BYTES = 64 * 1024 * 1024;

/** What the step keeps: the plan that waits for approval, or that the apply of one has begun. */
type Kept = { phase: 'planned'; plan: string } | { phase: 'applying' };

interface TerraformDeps {
  runProgram: RunProgram;
  plans: PlanFiles;
  clock: Clock;
  user?: SystemUser | undefined;
  limits?: StepLimits | undefined;
}

/**
 * PlanFiles, waits for people where the spec says so, and applies that very plan. An apply that was cut short is never repeated blindly:
 * what is left to do is planned, and people have to approve it.
 */
export function createTerraformStep(deps: TerraformDeps): DoStep<TerraformStepSpec> {
  return async (context) => {
    const terraform = await openTerraform(deps, context);
    if (typeof terraform === 'string') return failedStep(terraform);
    await makeOwn(context.scratch, deps.user);
    const ready = await prepare(terraform, context);
    if (ready !== undefined) return ready;
    const kept = readKept(context.kept) as Kept | undefined;
    if (kept?.phase === 'planned' && kept.plan === context.approved) {
      const plan = await deps.plans.read(kept.plan);
      if (plan !== undefined) {
        await writeNew(planIn(context), plan, deps.user);
        const result = await apply(terraform, context);
        // Cut short, it is of no use either: the state is another one by then.
        await deps.plans.remove(kept.plan);
        return result;
      }
      context.log('stderr', 'The plan that was approved is not on this machine: planning again\n');
    }
    if (kept?.phase === 'applying') context.log('stderr', CUT_SHORT);
    return await plan(deps, terraform, context, kept?.phase === 'applying');
  };
}

export const terraformStep = {
  create: createTerraformStep,
  programs: ({ program }) => [program],
} satisfies StepKind<TerraformStepSpec, Parameters<typeof createTerraformStep>[0]>;

const CUT_SHORT =
  'Mainsheet was stopped while a plan was applied. What was done of it is in the state; this is what is left, and it needs approval:\n';

/** Undefined when all is well. */
async function prepare(
  terraform: Terraform,
  { step, values }: StepContext<TerraformStepSpec>,
): Promise<StepResult | undefined> {
  const init = await terraform(['init', NEVER_ASK, '-no-color']);
  if ('result' in init) return init.result;
  if (step.workspace === undefined) return undefined;
  const workspace = renderTemplate(step.workspace, values);
  if (!WORKSPACE.test(workspace)) {
    return failedStep('a workspace has 1 to 90 letters, digits, "_", "." and "-"');
  }
  const selected = await terraform(['workspace', 'select', '-no-color', '-or-create', workspace]);
  return 'result' in selected ? selected.result : undefined;
}

async function plan(
  { plans, user }: TerraformDeps,
  terraform: Terraform,
  context: StepContext<TerraformStepSpec>,
  wasCutShort: boolean,
): Promise<StepResult> {
  const { step, scratch, values } = context;
  const vars = join(scratch, 'vars.tfvars.json');
  await writeNew(planIn(context), '', user);
  await writeNew(vars, JSON.stringify(renderJson(step.vars, values)), user);
  const out = ['-detailed-exitcode', `-var-file=${vars}`, `-out=${planIn(context)}`];
  const said = await terraform(['plan', NEVER_ASK, LOCK, ...out], [0, CHANGES]);
  if ('result' in said) return said.result;
  const changes = said.exitCode === CHANGES;
  const asks =
    step.approval.when === 'always' ||
    (changes && (step.approval.when === 'changes' || wasCutShort));
  if (asks) {
    const name = await plans.keep(context.env['MAINSHEET_RUN_ID'] ?? '', await readPlan(context));
    await rm(planIn(context), { force: true });
    const kept: Kept = { phase: 'planned', plan: name };
    return {
      outcome: 'waiting',
      kept: JSON.stringify(kept),
      id: name,
      detail: summaryOf(said.stdout, changes),
    };
  }
  if (!changes) return succeeded();
  return await apply(terraform, context);
}

async function apply(
  terraform: Terraform,
  context: StepContext<TerraformStepSpec>,
): Promise<StepResult> {
  await context.keep(JSON.stringify({ phase: 'applying' } satisfies Kept));
  const said = await terraform(['apply', NEVER_ASK, LOCK, planIn(context)]);
  await rm(planIn(context), { force: true });
  return 'result' in said ? said.result : succeeded();
}

function planIn({ scratch }: Pick<StepContext, 'scratch'>): string {
  return join(scratch, 'plan');
}

async function readPlan(context: StepContext<TerraformStepSpec>): Promise<Buffer> {
  const file = await open(planIn(context), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    if (size > MOST_BYTES) throw new RangeError(`the plan has more than ${MOST_BYTES} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** `Plan: 1 to add, 0 to change, 0 to destroy.` */
function summaryOf(stdout: string, changes: boolean): string {
  if (!changes) return 'no changes';
  return /^Plan: (.{1,200}?)\.?$/m.exec(stdout)?.[1] ?? 'changes of outputs';
}
