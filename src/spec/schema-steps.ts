import * as z from 'zod';
import type { StepLimits } from '../lib/step-limits.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import {
  backoff,
  duration,
  environmentVariables,
  label,
  limits,
  problem,
  secretName,
  TEXT_LIMIT,
  timeout,
  webUrl,
} from './schema-fields.ts';
import { script } from './schema-script.ts';
import { ssh, toSsh } from './schema-step-ssh.ts';
import { terraform, toTerraform } from './schema-step-terraform.ts';
import { toWorkflow, workflow } from './schema-step-workflow.ts';
import { hasTemplate } from './template.ts';

const HOUR = 3_600_000;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;

const retry = z.strictObject({
  attempts: z
    .int('must be a whole number')
    .min(1, 'at least 1')
    .max(10, 'at most 10')
    .describe('How often the step is tried in all. Default: 1.')
    .optional(),
  backoff: backoff
    .describe('Wait before the second attempt; doubles after each. Default: 1s.')
    .optional(),
});

const url = webUrl('name a secret: secret: NAME');

const expression = z.string().max(TEXT_LIMIT, `more than ${TEXT_LIMIT} characters`);

const http = z.strictObject({
  url: url.describe('Where the request goes. May hold ${{ … }}, whose values are percent-encoded.'),
  method: z
    .enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])
    .describe('Default: GET.')
    .optional(),
  headers: z
    .record(
      z.string().regex(HEADER_NAME, 'a header\'s name has letters, digits and "-"'),
      z.string().max(TEXT_LIMIT, `more than ${TEXT_LIMIT} characters`),
    )
    .describe('Values may hold ${{ … }}.')
    .optional(),
  body: z
    .union([z.string(), z.array(z.json()), z.record(z.string(), z.json())])
    .describe('Text as it is, anything else as JSON. May hold ${{ … }}.')
    .optional(),
  secret: secretName.describe('The secret that is sent as Authorization: Bearer.').optional(),
  expect: z
    .strictObject({
      status: z
        .array(z.int().min(100).max(599))
        .min(1, 'the list is empty')
        .max(50, 'more than 50 entries')
        .describe('Default: 200 to 299.')
        .optional(),
      if: expression
        .describe('A CEL expression over response (status, headers, body) that must be true.')
        .optional(),
    })
    .describe('What the answer must be.')
    .optional(),
  until: z
    .strictObject({
      expression: expression.describe(
        'A CEL expression over response. The request is repeated until it is true.',
      ),
      url: expression
        .describe(
          'A CEL expression over response: the address that is asked from then on, with GET, in place of the request. Of the same server.',
        )
        .optional(),
      every: duration(1000, HOUR, 'at least 1s and at most 1h').describe('Default: 5s.').optional(),
      timeout: timeout.describe('Default: 5m.').optional(),
    })
    .describe('Repeats the request until the answer says that what it began is done.')
    .optional(),
  outputs: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "an output's name has letters, digits and _"),
      expression,
    )
    .describe('Outputs, each a CEL expression over response.')
    .optional(),
});

const server = url
  .refine((text) => !hasTemplate(text), 'is the same for every run, so it has no ${{ … }}')
  .transform((text) => text.replace(/\/+$/, ''));

const awx = z.strictObject({
  server: server.describe('Where AWX is: https://awx.example.'),
  template: z.int().min(1, 'at least 1').describe('The number of the job template.'),
  'extra-vars': z
    .record(z.string(), z.json())
    .describe('Extra variables of the job. Strings may hold ${{ … }}.')
    .optional(),
  secret: secretName.describe('The secret that is an access token of AWX.'),
});

const jenkins = z.strictObject({
  server: server.describe('Where Jenkins is: https://ci.example.'),
  job: z
    .string()
    .regex(/^[^/]{1,200}(?:\/[^/]{1,200}){0,9}$/, 'is no name of a job: folder/name')
    .describe('The job, with its folders: deploy/shop.'),
  parameters: z
    .record(
      z.string().max(200, 'more than 200 characters'),
      z.union([z.string(), z.number(), z.boolean()]).transform(String),
    )
    .describe('Parameters of the build. Values may hold ${{ … }}.')
    .optional(),
  secret: secretName.describe('The secret that is a user and an API token: user:token.'),
});

/** What a step does: exactly one of these. */
const KINDS = ['run', 'http', 'awx', 'jenkins', 'workflow', 'terraform', 'ssh'] as const;

/** One step of a spec as it is written. */
export const step = z
  .strictObject({
    name: label(200).describe('Default: Step N.').optional(),
    run: script
      .describe(
        'Shell commands. Values come as environment variables: MAINSHEET_SHA, MAINSHEET_BRANCH, the "env" above, and every listed secret under its own name.',
      )
      .optional(),
    http: http.describe('A request, and what its answer must be.').optional(),
    awx: awx.describe('A job of AWX that is waited for.').optional(),
    jenkins: jenkins.describe('A build of Jenkins that is waited for.').optional(),
    workflow: workflow.describe('A workflow of GitHub Actions that is waited for.').optional(),
    terraform: terraform
      .describe('A plan of Terraform or OpenTofu that is applied when people have approved it.')
      .optional(),
    ssh: ssh.describe('A script that runs on another machine.').optional(),
    timeout: timeout.describe('Limit for this step, such as 5m.').optional(),
    env: environmentVariables
      .describe('Environment variables of this step. May hold ${{ … }}.')
      .optional(),
    retry: retry.describe('Whether and when to try the step again after it failed.').optional(),
    limits: limits.describe("What this step may use. Goes before the spec's limits.").optional(),
  })
  .superRefine((input, context) => {
    const kinds = KINDS.filter((kind) => input[kind] !== undefined);
    if (kinds.length === 1) return;
    const known = KINDS.map((kind) => `"${kind}"`).join(', ');
    if (kinds.length === 0) problem(context, `a step needs one of ${known}`);
    else problem(context, `a step is only one of ${known}`, 'make a step for each');
  });

/** A step with every default filled in. `common`: the limits of the spec. */
export function toStep(
  input: z.output<typeof step>,
  index: number,
  common: z.output<typeof limits>,
): StepSpec {
  const shared = {
    name: input.name ?? `Step ${index + 1}`,
    env: input.env ?? {},
    timeoutMs: input.timeout,
    retry: { attempts: input.retry?.attempts ?? 1, backoffMs: input.retry?.backoff ?? 1000 },
  };
  if (input.http !== undefined) return { ...shared, ...toHttp(input.http) };
  if (input.awx !== undefined) {
    const { 'extra-vars': extraVars = {}, ...rest } = input.awx;
    return { ...shared, kind: 'awx', ...rest, extraVars };
  }
  if (input.jenkins !== undefined) {
    const { parameters = {}, ...rest } = input.jenkins;
    return { ...shared, kind: 'jenkins', ...rest, parameters };
  }
  if (input.workflow !== undefined) return { ...shared, ...toWorkflow(input.workflow) };
  if (input.ssh !== undefined) return { ...shared, ...toSsh(input.ssh) };
  const own = defined({ ...common, ...input.limits });
  const limited = Object.keys(own).length === 0 ? shared : { ...shared, limits: own };
  if (input.terraform !== undefined) return { ...limited, ...toTerraform(input.terraform) };
  return { ...limited, kind: 'shell', run: input.run ?? '' };
}

function toHttp({ until, expect, ...input }: z.output<typeof http>) {
  return {
    kind: 'http' as const,
    url: input.url,
    method: input.method ?? 'GET',
    headers: input.headers ?? {},
    body: input.body as Json | undefined,
    secret: input.secret,
    expect: { status: expect?.status, if: expect?.if },
    until: until && {
      expression: until.expression,
      url: until.url,
      everyMs: until.every ?? 5000,
      timeoutMs: until.timeout ?? 300_000,
    },
    outputs: input.outputs ?? {},
  };
}

function defined(limits: { [Name in keyof StepLimits]: StepLimits[Name] | undefined }): StepLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
