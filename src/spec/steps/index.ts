import type * as z from 'zod';
import { awx } from './awx.ts';
import type { StepForm } from './contract.ts';
import { http } from './http.ts';
import { jenkins } from './jenkins.ts';
import { shell } from './shell.ts';
import { ssh } from './ssh.ts';
import { terraform } from './terraform.ts';
import { workflow } from './workflow.ts';

/** What a step does is exactly one of these. Each by its key in a step. */
export const STEP_FORMS = {
  run: shell,
  http,
  awx,
  jenkins,
  workflow,
  terraform,
  ssh,
} as const satisfies Record<string, StepForm>;

/** The names of all kinds. */
export type StepKindName = z.output<(typeof STEP_FORMS)[keyof typeof STEP_FORMS]['schema']>['kind'];
