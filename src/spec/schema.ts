import * as z from 'zod';
import type { StepLimits } from '../lib/step-limits.ts';
import {
  DEFAULT_FEEDBACK,
  FEEDBACK_KINDS,
  type DeploymentSpec,
  type StepSpec,
} from '../model/deployment-spec.ts';
import {
  backoff,
  environmentVariables,
  label,
  limits,
  oneOrMore,
  problem,
  repositoryName,
  secretName,
  specName,
  timeout,
} from './schema-fields.ts';
import { gate } from './schema-gates.ts';
import { notify } from './schema-notify.ts';
import { triggers } from './schema-triggers.ts';

const MINUTE = 60_000;

const lane = label(320)
  .refine(
    (name) => !name.toLowerCase().startsWith('mainsheet '),
    'begins with "mainsheet ", which is kept for work trees of Mainsheet itself',
  )
  .describe('The queue that runs wait in. Default: <name>-<environment>.');

const concurrency = z.union([
  lane,
  z.strictObject({
    lane: lane.optional(),
    queue: z
      .enum(['newest', 'all'])
      .describe('newest (default): a newer run supersedes those waiting. all: each gets its turn.')
      .optional(),
    'cancel-running': z
      .boolean()
      .describe('Whether a newer run cancels the one that is running. Default: false.')
      .optional(),
  }),
]);

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

const step = z.strictObject({
  name: label(200).describe('Default: Step N.').optional(),
  run: z
    .string()
    .max(65_536, 'more than 65536 characters; put the script into the repository')
    .refine((text) => text.trim() !== '', 'is empty')
    .refine((text) => !text.includes('\0'), 'has a NUL character')
    .describe(
      'Shell commands. Values come as environment variables: MAINSHEET_SHA, MAINSHEET_BRANCH, the "env" above, and every listed secret under its own name.',
    ),
  timeout: timeout.describe('Limit for this step, such as 5m.').optional(),
  env: environmentVariables
    .describe('Environment variables of this step. May hold ${{ … }}.')
    .optional(),
  retry: retry.describe('Whether and when to try the step again after it failed.').optional(),
  limits: limits.describe("What this step may use. Goes before the spec's limits.").optional(),
});

const written = z.strictObject({
  name: specName.describe('Unique name of this spec.'),
  repository: repositoryName.describe('The repository whose events deploy: owner/name.'),
  environment: label(255).describe('GitHub environment. Default: production.').optional(),
  production_environment: z
    .boolean()
    .describe(
      'Whether GitHub shows the environment as one that its users see. Default: true for production.',
    )
    .optional(),
  transient_environment: z
    .boolean()
    .describe('Whether the environment will be gone some day. Default: false.')
    .optional(),
  on: triggers.describe(
    'What starts a run. The words and filter patterns are those of GitHub Actions.',
  ),
  if: z
    .union([z.string(), z.boolean()])
    .transform(String)
    .describe('A CEL expression over event, github and spec that must be true.')
    .optional(),
  concurrency: concurrency
    .describe('Which runs wait for each other, or the name of their lane.')
    .optional(),
  gates: z
    .array(gate)
    .max(10, 'more than 10 gates')
    .describe('What a run waits for before it starts.')
    .optional(),
  'after-rollback': z
    .enum(['hold', 'continue'])
    .describe(
      'What becomes of later commits after a rollback. hold (default): the lane is paused until it is resumed. continue: the next one is deployed.',
    )
    .optional(),
  'on-interrupt': z
    .enum(['restart', 'fail'])
    .describe(
      'When Mainsheet dies in the middle of a step. restart (default): the step starts again. fail: the run fails.',
    )
    .optional(),
  timeout: timeout.describe('Limit for a whole run. Default: 15m; at most 24h.').optional(),
  env: environmentVariables
    .describe('Environment variables of every step. Values may hold ${{ … }}.')
    .optional(),
  secrets: oneOrMore(secretName, 100)
    .superRefine((names, context) => {
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) !== index) problem(context, `the secret ${name} is listed twice`);
      }
    })
    .describe(
      'Names of the secrets that this spec may use. Each reaches the steps as the environment variable of the same name, and is masked in logs.',
    )
    .optional(),
  limits: limits
    .describe(
      'What each step may use. Never more than the operator allows (MAINSHEET_STEP_LIMITS).',
    )
    .optional(),
  steps: z
    .array(step)
    .min(1, '"steps" needs at least one step')
    .max(100, 'more than 100 steps')
    .describe('What a run does, one after the other.'),
  feedback: z
    .array(z.enum(FEEDBACK_KINDS))
    .max(FEEDBACK_KINDS.length, `at most ${FEEDBACK_KINDS.length}`)
    .describe(
      'Where GitHub shows what becomes of a run. Default: status and deployment. check needs a GitHub App.',
    )
    .optional(),
  notify: z
    .array(notify)
    .max(20, 'more than 20 entries')
    .describe('Who is told, and when.')
    .optional(),
});

/**
 * The written form of a deployment spec (DESIGN §4): what one YAML document may hold. Its output is the spec as the
 * rest of the code knows it, with every default filled in and durations in milliseconds. Rules that need more than one
 * value (secrets that expressions use) are in `document-checks`.
 */
export const deploymentSchema = written.transform(toSpec) satisfies z.ZodType<DeploymentSpec>;

function toSpec(input: z.output<typeof written>): DeploymentSpec {
  const environment = input.environment ?? 'production';
  const concurrency =
    typeof input.concurrency === 'string' ? { lane: input.concurrency } : (input.concurrency ?? {});
  return {
    name: input.name,
    repository: input.repository,
    environment,
    productionEnvironment: input.production_environment ?? environment === 'production',
    transientEnvironment: input.transient_environment ?? false,
    on: input.on,
    if: input.if,
    concurrency: {
      lane: concurrency.lane ?? `${input.name}-${environment}`,
      queue: concurrency.queue ?? 'newest',
      cancelRunning: concurrency['cancel-running'] ?? false,
    },
    gates: input.gates ?? [],
    afterRollback: input['after-rollback'] ?? 'hold',
    onInterrupt: input['on-interrupt'] ?? 'restart',
    timeoutMs: input.timeout ?? 15 * MINUTE,
    env: input.env ?? {},
    secrets: input.secrets ?? [],
    steps: input.steps.map((step, index) => toStep(step, index, input.limits ?? {})),
    feedback: input.feedback ?? DEFAULT_FEEDBACK,
    notify: input.notify ?? [],
  };
}

function toStep(
  input: z.output<typeof step>,
  index: number,
  common: z.output<typeof limits>,
): StepSpec {
  const own = defined({ ...common, ...input.limits });
  return {
    kind: 'shell',
    name: input.name ?? `Step ${index + 1}`,
    run: input.run,
    env: input.env ?? {},
    timeoutMs: input.timeout,
    retry: { attempts: input.retry?.attempts ?? 1, backoffMs: input.retry?.backoff ?? 1000 },
    ...(Object.keys(own).length === 0 ? {} : { limits: own }),
  };
}

function defined(limits: { [Name in keyof StepLimits]: StepLimits[Name] | undefined }): StepLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
