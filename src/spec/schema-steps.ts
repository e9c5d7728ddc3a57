import * as z from 'zod';
import type { StepLimits } from '../lib/step-limits.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import { stepNumber } from '../model/run.ts';
import { keysOf, shapeOf, writtenOf } from './form.ts';
import {
  backoff,
  environmentVariables,
  label,
  limits,
  optional,
  problem,
  timeout,
  whole,
} from './schema-fields.ts';
import type { StepForm } from './steps/contract.ts';
import { STEP_FORMS } from './steps/index.ts';

const retry = z.strictObject({
  attempts: optional('How often the step is tried in all. Default: 1.', whole(1, 10)),
  backoff: optional('Wait before the second attempt; doubles after each. Default: 1s.', backoff),
});

/** One step of a spec as it is written. */
export const step = z
  .strictObject({
    name: optional('Default: Step N.', label(200)),
    ...shapeOf(STEP_FORMS),
    timeout: optional('Limit for this step, such as 5m.', timeout),
    env: optional('Environment variables of this step. May hold ${{ … }}.', environmentVariables),
    retry: optional('Whether and when to try the step again after it failed.', retry),
    limits: optional("What this step may use. Goes before the spec's limits.", limits),
  })
  .superRefine((input, context) => {
    const written = writtenOf(STEP_FORMS, input);
    if (written.length === 1) return;
    const known = keysOf(STEP_FORMS);
    if (written.length === 0) problem(context, `a step needs one of ${known}`);
    else problem(context, `a step is only one of ${known}`, 'make a step for each');
  });

/** A step with every default filled in. `common`: the limits of the spec. */
export function toStep(
  input: z.output<typeof step>,
  index: number,
  common: z.output<typeof limits>,
): StepSpec {
  const shared = {
    name: input.name ?? stepNumber(index),
    env: input.env ?? {},
    timeoutMs: input.timeout,
    retry: { attempts: input.retry?.attempts ?? 1, backoffMs: input.retry?.backoff ?? 1000 },
  };
  const [key = 'run'] = writtenOf(STEP_FORMS, input);
  const form: StepForm = STEP_FORMS[key];
  const own = form.isLimited === true ? defined({ ...common, ...input.limits }) : {};
  const limited = Object.keys(own).length === 0 ? shared : { ...shared, limits: own };
  return { ...limited, ...input[key]! };
}

function defined(limits: { [Name in keyof StepLimits]: StepLimits[Name] | undefined }): StepLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
