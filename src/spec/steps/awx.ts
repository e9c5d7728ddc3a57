import * as z from 'zod';
import type { Json } from '../../model/event.ts';
import { optional, secretName, serverUrl } from '../schema-fields.ts';
import type { StepForm, StepOf } from './contract.ts';

const schema = z
  .strictObject({
    server: serverUrl.describe('Where AWX is: https://awx.example.'),
    template: z.int().min(1, 'at least 1').describe('The number of the job template.'),
    'extra-vars': optional(
      'Extra variables of the job. Strings may hold ${{ … }}.',
      z.record(z.string(), z.json()),
    ),
    secret: secretName.describe('The secret that is an access token of AWX.'),
  })
  .transform(({ 'extra-vars': extraVars = {}, ...rest }) => ({
    kind: 'awx' as const,
    ...rest,
    extraVars: extraVars as Record<string, Json>,
  }));

/** A job of AWX. */
export const awx = {
  schema: schema.describe('A job of AWX that is waited for.'),
  texts: { secret: 'secret', 'extra-vars.**': 'template' },
} as const satisfies StepForm;

export type AwxStepSpec = StepOf<typeof awx>;
