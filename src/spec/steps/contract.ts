import type * as z from 'zod';
import type { StepSpec } from '../../model/deployment-spec.ts';
import type { Form } from '../form.ts';

/** How one kind of step is written. What it does is in the file of the same name in `src/steps`. */
export interface StepForm extends Form {
  /** Whether it runs programs on this machine, which `limits` hold for. */
  isLimited?: true;
}

/** A step of the kind, as the rest of the code knows it. */
export type StepOf<Written extends StepForm> = StepSpec & z.output<Written['schema']>;
