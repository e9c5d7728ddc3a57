import * as z from 'zod';
import type { StepLimits } from '../lib/step-limits.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import { stepNumber } from '../model/run.ts';
import {
  backoff,
  duration,
  environmentVariables,
  label,
  limits,
  listOf,
  optional,
  problem,
  scalar,
  secretName,
  TEXT_LIMIT,
  textUpTo,
  timeout,
  webUrl,
  whole,
} from './schema-fields.ts';
import { script } from './schema-script.ts';
import { ssh } from './schema-step-ssh.ts';
import { terraform } from './schema-step-terraform.ts';
import { workflow } from './schema-step-workflow.ts';
import { hasTemplate } from './template.ts';

const HOUR = 3_600_000;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;

const retry = z.strictObject({
  attempts: optional('How often the step is tried in all. Default: 1.', whole(1, 10)),
  backoff: optional('Wait before the second attempt; doubles after each. Default: 1s.', backoff),
});

const url = webUrl('name a secret: secret: NAME');

const expression = textUpTo(TEXT_LIMIT);

const http = z
  .strictObject({
    url: url.describe(
      'Where the request goes. May hold ${{ … }}, whose values are percent-encoded.',
    ),
    method: optional('Default: GET.', z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])),
    headers: optional(
      'Values may hold ${{ … }}.',
      z.record(
        z.string().regex(HEADER_NAME, 'a header\'s name has letters, digits and "-"'),
        textUpTo(TEXT_LIMIT),
      ),
    ),
    body: optional(
      'Text as it is, anything else as JSON. May hold ${{ … }}.',
      z.union([z.string(), z.array(z.json()), z.record(z.string(), z.json())]),
    ),
    secret: optional('The secret that is sent as Authorization: Bearer.', secretName),
    expect: optional(
      'What the answer must be.',
      z.strictObject({
        status: optional('Default: 200 to 299.', listOf(z.int().min(100).max(599), 50)),
        if: optional(
          'A CEL expression over response (status, headers, body) that must be true.',
          expression,
        ),
      }),
    ),
    until: optional(
      'Repeats the request until the answer says that what it began is done.',
      z.strictObject({
        expression: expression.describe(
          'A CEL expression over response. The request is repeated until it is true.',
        ),
        url: optional(
          'A CEL expression over response: the address that is asked from then on, with GET, in place of the request. Of the same server.',
          expression,
        ),
        every: optional('Default: 5s.', duration(1000, HOUR, 'at least 1s and at most 1h')),
        timeout: optional('Default: 5m.', timeout),
      }),
    ),
    outputs: optional(
      'Outputs, each a CEL expression over response.',
      z.record(
        z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "an output's name has letters, digits and _"),
        expression,
      ),
    ),
  })
  .transform(({ until, expect, ...input }) => ({
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
  }));

const server = url
  .refine((text) => !hasTemplate(text), 'is the same for every run, so it has no ${{ … }}')
  .transform((text) => text.replace(/\/+$/, ''));

const awx = z
  .strictObject({
    server: server.describe('Where AWX is: https://awx.example.'),
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
    extraVars,
  }));

const jenkins = z
  .strictObject({
    server: server.describe('Where Jenkins is: https://ci.example.'),
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

/** What a step does: exactly one of these. */
const KINDS = ['run', 'http', 'awx', 'jenkins', 'workflow', 'terraform', 'ssh'] as const;

/** One step of a spec as it is written. */
export const step = z
  .strictObject({
    name: optional('Default: Step N.', label(200)),
    run: optional(
      'Shell commands. Values come as environment variables: MAINSHEET_SHA, MAINSHEET_BRANCH, the "env" above, and every listed secret under its own name.',
      script,
    ),
    http: optional('A request, and what its answer must be.', http),
    awx: optional('A job of AWX that is waited for.', awx),
    jenkins: optional('A build of Jenkins that is waited for.', jenkins),
    workflow: optional('A workflow of GitHub Actions that is waited for.', workflow),
    terraform: optional(
      'A plan of Terraform or OpenTofu that is applied when people have approved it.',
      terraform,
    ),
    ssh: optional('A script that runs on another machine.', ssh),
    timeout: optional('Limit for this step, such as 5m.', timeout),
    env: optional('Environment variables of this step. May hold ${{ … }}.', environmentVariables),
    retry: optional('Whether and when to try the step again after it failed.', retry),
    limits: optional("What this step may use. Goes before the spec's limits.", limits),
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
    name: input.name ?? stepNumber(index),
    env: input.env ?? {},
    timeoutMs: input.timeout,
    retry: { attempts: input.retry?.attempts ?? 1, backoffMs: input.retry?.backoff ?? 1000 },
  };
  const { http: request, awx: job, jenkins: build } = input;
  const elsewhere = request ?? job ?? build ?? input.workflow ?? input.ssh;
  if (elsewhere !== undefined) return { ...shared, ...elsewhere };
  const own = defined({ ...common, ...input.limits });
  const limited = Object.keys(own).length === 0 ? shared : { ...shared, limits: own };
  return { ...limited, ...(input.terraform ?? { kind: 'shell', run: input.run ?? '' }) };
}

function defined(limits: { [Name in keyof StepLimits]: StepLimits[Name] | undefined }): StepLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
