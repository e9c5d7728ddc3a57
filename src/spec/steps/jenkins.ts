import * as z from 'zod';
import { optional, scalar, secretName, serverUrl, textUpTo } from '../schema-fields.ts';
import type { StepForm, StepOf } from './contract.ts';

const schema = z
  .strictObject({
    server: serverUrl.describe('Where Jenkins is: https://ci.example.'),
    job: z
      .string()
      .regex(/^[^/]{1,200}(?:\/[^/]{1,200}){0,9}$/, 'is no name of a job: folder/name')
      .describe('The job, with its folders: deploy/shop.'),
    parameters: optional(
      'Parameters of the build. Values may hold ${{ … }}.',
      z.record(textUpTo(200), scalar),
    ),
    secret: secretName.describe('The secret that is a user and an API token: user:token.'),
  })
  .transform(({ parameters = {}, ...rest }) => ({ kind: 'jenkins' as const, ...rest, parameters }));

/** A build of a Jenkins job. */
export const jenkins = {
  schema: schema.describe('A build of Jenkins that is waited for.'),
  texts: { secret: 'secret', 'parameters.*': 'template' },
} as const satisfies StepForm;

export type JenkinsStepSpec = StepOf<typeof jenkins>;
