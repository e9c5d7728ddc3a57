import * as z from 'zod';
import { DEFAULT_FEEDBACK, FEEDBACK_KINDS, type DeploymentSpec } from '../model/deployment-spec.ts';
import { elsewhere } from '../lib/names.ts';
import {
  anyRepository,
  environmentVariables,
  label,
  limits,
  oneOrMore,
  optional,
  problem,
  secretName,
  specName,
  timeout,
} from './schema-fields.ts';
import { gate } from './schema-gates.ts';
import { notify } from './schema-notify.ts';
import { step, toStep } from './schema-steps.ts';
import { batch, checkBatch } from './schema-batch.ts';
import { checkPreview } from './schema-pull-request.ts';
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
    queue: optional(
      'newest (default): a newer run supersedes those waiting. all: each gets its turn.',
      z.enum(['newest', 'all']),
    ),
    'cancel-running': optional(
      'Whether a newer run cancels the one that is running. Default: false.',
      z.boolean(),
    ),
  }),
]);

const written = z.strictObject({
  name: specName.describe('Unique name of this spec.'),
  repository: anyRepository.describe(
    'The repository whose events deploy: owner/name, or server:path on a server that is not GitHub.',
  ),
  environment: optional(
    'GitHub environment. Default: production; preview with on.pull_request.',
    label(255),
  ),
  production_environment: optional(
    'Whether GitHub shows the environment as one that its users see. Default: true for production.',
    z.boolean(),
  ),
  transient_environment: optional(
    'Whether the environment will be gone some day. Default: false.',
    z.boolean(),
  ),
  on: triggers.describe(
    'What starts a run. The words and filter patterns are those of GitHub Actions.',
  ),
  if: optional(
    'A CEL expression over event, github and spec that must be true.',
    z.union([z.string(), z.boolean()]).transform(String),
  ),
  concurrency: optional('Which runs wait for each other, or the name of their lane.', concurrency),
  batch: optional('Gathers the events of a time in one run. Each batch has its turn.', batch),
  gates: optional(
    'What a run waits for before it starts.',
    z.array(gate).max(10, 'more than 10 gates'),
  ),
  'after-rollback': optional(
    'What becomes of later commits after a rollback. hold (default): the lane is paused until it is resumed. continue: the next one is deployed.',
    z.enum(['hold', 'continue']),
  ),
  badge: optional(
    'Whether everyone may see how its last run is, as a picture at /badge/NAME.svg. Default: false.',
    z.boolean(),
  ),
  comments: optional(
    'Whether people with write permission may give commands in comments on pull requests and commits. Default: false.',
    z.boolean(),
  ),
  plan: optional(
    'Whether a check run and a comment on pull requests say what merging them would deploy. Default: false.',
    z.boolean(),
  ),
  'on-interrupt': optional(
    'When Mainsheet dies in the middle of a step. restart (default): the step starts again. fail: the run fails.',
    z.enum(['restart', 'fail']),
  ),
  timeout: optional('Limit for a whole run. Default: 15m; at most 24h.', timeout),
  env: optional(
    'Environment variables of every step. Values may hold ${{ … }}.',
    environmentVariables,
  ),
  secrets: optional(
    'Names of the secrets that this spec may use. Each reaches the steps as the environment variable of the same name, and is masked in logs.',
    oneOrMore(secretName, 100).superRefine((names, context) => {
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) !== index) problem(context, `the secret ${name} is listed twice`);
      }
    }),
  ),
  limits: optional(
    'What each step may use. Never more than the operator allows (MAINSHEET_STEP_LIMITS).',
    limits,
  ),
  steps: z
    .array(step)
    .min(1, '"steps" needs at least one step')
    .max(100, 'more than 100 steps')
    .describe('What a run does, one after the other.'),
  teardown: optional(
    'How the preview of a pull request is taken down (on.pull_request).',
    z.array(step).min(1, '"teardown" needs at least one step').max(100, 'more than 100 steps'),
  ),
  feedback: optional(
    'Where GitHub shows what becomes of a run. Default: status and deployment. check needs a GitHub App.',
    z.array(z.enum(FEEDBACK_KINDS)).max(FEEDBACK_KINDS.length, `at most ${FEEDBACK_KINDS.length}`),
  ),
  notify: optional('Who is told, and when.', z.array(notify).max(20, 'more than 20 entries')),
});

/**
 * The written form of a deployment spec: what one YAML document may hold. Its output is the spec as the
 * rest of the code knows it, with every default filled in and durations in milliseconds. Rules that need more than one
 * value (secrets that expressions use) are in `document-checks`.
 */
export const deploymentSchema = written
  .superRefine(checkBatch)
  .superRefine(checkPreview)
  .transform(toSpec) satisfies z.ZodType<DeploymentSpec>;

function toSpec(input: z.output<typeof written>): DeploymentSpec {
  const isPreview = input.on.pullRequest !== undefined;
  const environment = input.environment ?? (isPreview ? 'preview' : 'production');
  const concurrency =
    typeof input.concurrency === 'string' ? { lane: input.concurrency } : (input.concurrency ?? {});
  return {
    name: input.name,
    repository: input.repository,
    environment,
    productionEnvironment: input.production_environment ?? environment === 'production',
    transientEnvironment: input.transient_environment ?? isPreview,
    on: input.on,
    if: input.if,
    concurrency: {
      lane: concurrency.lane ?? `${input.name}-${environment}`,
      queue: concurrency.queue ?? (input.batch === undefined ? 'newest' : 'all'),
      cancelRunning: concurrency['cancel-running'] ?? false,
    },
    ...(input.batch === undefined ? {} : { batch: input.batch }),
    gates: input.gates ?? [],
    afterRollback: input['after-rollback'] ?? 'hold',
    ...(input.badge === true ? { badge: true } : {}),
    comments: input.comments ?? false,
    plan: input.plan ?? false,
    onInterrupt: input['on-interrupt'] ?? 'restart',
    timeoutMs: input.timeout ?? 15 * MINUTE,
    env: input.env ?? {},
    secrets: input.secrets ?? [],
    steps: input.steps.map((one, index) => toStep(one, index, input.limits ?? {})),
    ...(input.teardown === undefined
      ? {}
      : { teardown: input.teardown.map((one, index) => toStep(one, index, input.limits ?? {})) }),
    feedback: input.feedback ?? defaultFeedback(input.repository),
    notify: input.notify ?? [],
  };
}

/** Other servers than GitHub are told of commit statuses alone. */
export function defaultFeedback(repository: string): DeploymentSpec['feedback'] {
  return elsewhere(repository) === undefined ? DEFAULT_FEEDBACK : ['status'];
}
