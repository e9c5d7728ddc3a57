import { script } from '../schema-script.ts';
import type { StepForm, StepOf } from './contract.ts';

/** A script that runs in the checkout. */
export const shell = {
  schema: script
    .describe(
      'Shell commands. Values come as environment variables: MAINSHEET_SHA, MAINSHEET_BRANCH, the "env" above, and every listed secret under its own name.',
    )
    .transform((run) => ({ kind: 'shell' as const, run })),
  texts: { '': 'script' },
  isLimited: true,
} as const satisfies StepForm;

export type ShellStepSpec = StepOf<typeof shell>;
