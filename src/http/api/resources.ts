import * as z from 'zod';
import { CALLBACK_KINDS, kindOf } from '../../callbacks/index.ts';
import type { Delivery } from '../../model/delivery.ts';
import type { GateView } from '../../controller/operator/gates.ts';
import { RUN_STATES, type Run, type Step } from '../../model/run.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { describeGate, nameOf } from '../../model/gate.ts';
import { describeWaits } from '../../model/step-gate.ts';
import { isHeldBy, type SeenPause } from '../../model/pause.ts';
import type { Said } from '../../spec/says.ts';
import type { BatchView } from '../../store/batches.ts';
import type { Environment } from '../../store/environments.ts';
import type { InstallationState } from '../../store/installations.ts';
import { isOfRun, type OutboxEntry } from '../../store/outbox.ts';
import type { PathsShown } from '../read/path-tables.ts';
import type { ChainView } from '../read/run.ts';
import type { SourceView } from '../read/specs-source.ts';
import type { Told } from './tell.ts';

/** The API's resources: one schema each, from which both the types and the OpenAPI description come. */

const time = z.iso.datetime().describe('ISO 8601, UTC');

export const reasonSchema = z.object({
  condition: z.string().describe('Which condition was looked at'),
  held: z.boolean(),
  detail: z.string().describe('What was compared with what'),
});

export const deliverySchema = z
  .object({
    id: z.string().describe('X-GitHub-Delivery'),
    event: z.string(),
    action: z.string().nullable(),
    repository: z.string().nullable(),
    state: z.enum(['pending', 'processed', 'failed']),
    summary: z.string().nullable().describe('What became of it, in one sentence'),
    attempts: z.int(),
    receivedAt: time,
    processedAt: time.nullable(),
  })
  .meta({ id: 'Delivery' });

export function toDelivery(delivery: Delivery): Told<typeof deliverySchema> {
  return { ...delivery, summary: delivery.outcome?.summary };
}

export const saysSchema = z
  .array(
    z.object({
      key: z.string(),
      detail: z.string(),
      default: z.boolean().describe('Whether it is so without being written'),
    }),
  )
  .describe('What the spec, as it is now, says of its runs; empty once it is gone');

export const pathsSchema = z
  .object({
    condition: z.enum(['on.push.paths', 'on.push.paths-ignore']),
    files: z.int().describe('How many the push changed'),
    counting: z.int().describe('How many of them make the spec match'),
    compared: z.int().describe('Fewer than `files` when that was too much work'),
    asOf: z
      .enum(['run', 'now'])
      .describe('The spec: the one that the run was made from, or as it is now'),
    rows: z
      .array(
        z.object({
          path: z.string(),
          by: z
            .string()
            .nullable()
            .describe('The pattern that decided: the last that matches the file'),
          counts: z.boolean().describe('Whether the file makes the spec match'),
        }),
      )
      .describe('At most 200, first those that count; of all specs together at most 1,000'),
  })
  .nullable()
  .describe(
    'Each changed file beside its pattern; null where none was looked at, or git alone knew the files',
  );

export const explanationSchema = z
  .object({
    delivery: z.string(),
    event: z.string(),
    state: z.enum(['pending', 'processed', 'failed']),
    summary: z.string(),
    specs: z.array(
      z.object({
        spec: z.string(),
        matched: z.boolean(),
        run: z.string().nullable().describe('The run it made'),
        runState: z.enum(RUN_STATES).nullable().describe('How that run is now'),
        runReason: z.string().nullable().describe('Why it is so: what it waits for, for one'),
        reasons: z.array(reasonSchema),
        paths: pathsSchema,
        says: saysSchema,
      }),
    ),
  })
  .meta({ id: 'Explanation' });

/** `runs`: those that the delivery made, as they are now. */
export function toExplanation(
  delivery: Delivery,
  runs: readonly Run[],
  says: (spec: string) => Said[],
  paths: ReadonlyMap<string, PathsShown>,
): Told<typeof explanationSchema> {
  const runOf = (id: string | undefined) => runs.find((run) => run.id === id);
  const { id, event, state } = delivery;
  return {
    delivery: id,
    event,
    state,
    summary: delivery.outcome?.summary ?? 'Not yet processed',
    specs: (delivery.outcome?.specs ?? []).map(({ spec, verdict, run }) => ({
      spec,
      matched: verdict.matched,
      run,
      runState: runOf(run)?.state,
      runReason: runOf(run)?.reason,
      reasons: verdict.reasons,
      paths: toPaths(paths.get(spec)),
      says: says(spec),
    })),
  };
}

/** Nothing also for files that are not kept: the reason says what decided. */
export function toPaths(view: PathsShown | undefined): Told<typeof pathsSchema> {
  if (view === undefined || view === 'not-kept') return undefined;
  const { condition } = view;
  return {
    ...view,
    condition: condition === 'on.push.paths' ? condition : 'on.push.paths-ignore',
  };
}

export const runSchema = z
  .object({
    id: z.string(),
    spec: z.string(),
    repository: z.string(),
    environment: z.string(),
    lane: z.string(),
    ref: z.string(),
    branch: z.string().nullable(),
    tag: z.string().nullable(),
    sha: z.string(),
    event: z.enum([
      'push',
      'release',
      'workflow_run',
      'hook',
      'schedule',
      'deployment',
      'pull_request',
      'teardown',
      'deploy',
      'deployment_protection_rule',
    ]),
    delivery: z.string(),
    cause: z.enum(['event', 'retry', 'rollback', 'replay', 'deploy']),
    state: z.enum(RUN_STATES),
    reason: z.string().describe('Why it is in this state'),
    fault: z.enum(['step', 'mainsheet']).nullable().describe('Whose fault a failure is'),
    cancelRequested: z.string().nullable(),
    attempts: z.int(),
    outputs: z.record(z.string(), z.string()),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Run' });

const stepSchema = z
  .object({
    index: z.int(),
    name: z.string(),
    state: z.enum(['pending', 'running', 'succeeded', 'failed', 'cancelled', 'skipped']),
    attempts: z.int(),
    exitCode: z.int().nullable(),
    reason: z.string(),
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Step' });

export const callbackSchema = z
  .object({
    id: z.string(),
    run: z.string().nullable().describe('Null for what is said of no run'),
    kind: z.enum(CALLBACK_KINDS),
    target: z.string().describe('Callbacks of one target are sent in order'),
    state: z.enum(['pending', 'sent', 'obsolete', 'dead']),
    attempts: z.int(),
    error: z.string().nullable(),
    tells: z.string().describe('The state that it tells the other side'),
    answer: z
      .object({
        status: z.int().nullable().describe('HTTP status'),
        id: z.string().nullable().describe('Number of what GitHub has made or changed'),
        url: z.string().nullable().describe('Where that is to be seen'),
      })
      .nullable()
      .describe('What the other side said to one that was sent, where it says something'),
    createdAt: time,
    nextAttemptAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Callback' });

export function toCallback(entry: OutboxEntry): Told<typeof callbackSchema> {
  const { id, run, callback, answer, state, nextAttemptAt } = entry;
  return {
    ...entry,
    id: String(id),
    run: isOfRun(run) ? run : undefined,
    kind: kindOf(callback).kind,
    tells: kindOf(callback).tells(callback),
    answer: answer && { status: answer.status, id: answer.id, url: answer.url },
    nextAttemptAt: state === 'pending' ? nextAttemptAt : undefined,
  };
}

export const gateSchema = z
  .object({
    kind: z.enum(['approve', 'window']),
    asks: z.string().describe('What the spec says, in a line'),
    open: z.boolean(),
    detail: z.string().describe('What it waits for, or what has opened it'),
    answers: z.array(
      z.object({
        by: z.string(),
        kind: z.enum(['approve', 'override']),
        reason: z.string(),
        at: time,
      }),
    ),
  })
  .meta({ id: 'Gate' });

export function toGate({ gate, isOpen, detail, answers }: GateView): Told<typeof gateSchema> {
  return {
    kind: gate.kind,
    asks: describeGate(gate),
    open: isOpen,
    detail,
    answers: answers.map(({ person, kind, reason, at: given }) => ({
      by: nameOf(person),
      kind: kind === 'override' ? kind : 'approve',
      reason,
      at: given,
    })),
  };
}

const startedSchema = z.object({
  spec: z.string(),
  state: z.enum(['waiting', 'started', 'skipped']),
  dueAt: time.describe('When it starts, if what was deployed is healthy until then'),
  reason: z.string().describe('Why it was not started'),
  run: z.string().nullable().describe('What came of it'),
});

export const runDetailSchema = runSchema
  .extend({
    steps: z.array(stepSchema),
    callbacks: z.array(callbackSchema),
    gates: z
      .array(gateSchema)
      .describe('What it waits for, or had to wait for, before it starts and in its middle'),
    batch: z
      .object({
        deliveries: z.array(z.string()).describe('In the order in which they came'),
        until: time.describe('When it ends, or was to end'),
        open: z.boolean().describe('Whether more may come'),
      })
      .nullable()
      .describe('Whose events it has, where the spec gathers them'),
    startedBy: z.string().nullable().describe('The run of another spec that has started it'),
    starts: z
      .array(startedSchema)
      .describe('The specs that it starts, or was to start, when it has ended'),
  })
  .meta({ id: 'RunDetail' });

export function toRunDetail(
  run: Run,
  parts: {
    steps: readonly Step[];
    callbacks: readonly OutboxEntry[];
    gates: readonly GateView[];
    batch: BatchView | undefined;
  } & ChainView,
): Told<typeof runDetailSchema> {
  return {
    ...run,
    steps: parts.steps,
    callbacks: parts.callbacks.map(toCallback),
    gates: parts.gates.map(toGate),
    batch: parts.batch && toBatch(parts.batch),
    startedBy: parts.startedBy?.id,
    starts: parts.starts.map(({ chain, run: started }) => ({ ...chain, run: started?.id })),
  };
}

function toBatch({ deliveries, closesAt, closedAt }: BatchView) {
  return { deliveries, until: closesAt, open: closedAt === undefined };
}

export const pauseSchema = z
  .object({
    kind: z.enum(['spec', 'lane']),
    name: z.string(),
    since: time,
    by: z
      .string()
      .nullable()
      .describe('Null, and no reason, for those who may not see all repositories that it holds'),
    reason: z.string().describe('Empty when no reason was given'),
  })
  .meta({ id: 'Pause' });

/** What is wrong with a spec on disk, and where. */
export const problemSchema = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  message: z.string(),
  hint: z.string().optional(),
  excerpt: z
    .string()
    .optional()
    .describe('Two lines: the line of the file, cut around the column, and a caret under it'),
});

export const specSchema = z
  .object({
    name: z.string(),
    repository: z.string(),
    environment: z.string(),
    lane: z.string(),
    paused: pauseSchema.nullable().describe('What keeps its runs from starting'),
    installation: z
      .enum(['installed', 'suspended', 'removed', 'missing'])
      .nullable()
      .describe('Whether the App is on its repository; null when no event has told'),
    events: z.array(
      z.enum(['push', 'release', 'workflow_run', 'hook', 'schedule', 'deployment', 'pull_request']),
    ),
    gates: z.array(z.string()).describe('What its runs wait for, each in a line'),
    steps: z.array(z.string()),
    file: z.string(),
    line: z.int(),
    url: z.string().nullable().describe('Its page at the commit; null without one'),
    digest: z.string(),
  })
  .meta({ id: 'Spec' });

export const sourceSchema = z
  .object({
    repository: z
      .string()
      .nullable()
      .describe('Null for a directory, and for those who may not see the repository'),
    path: z
      .string()
      .nullable()
      .describe("Below the repository's root; of a directory its name, for administrators"),
    commit: z
      .string()
      .nullable()
      .describe('Of the specs in use; seven characters for those who may not see the repository'),
    url: z.string().nullable(),
  })
  .meta({ id: 'SpecsSource' });

export function toSpec(
  { spec, file, line, digest }: LoadedSpec,
  pauses: readonly SeenPause[],
  installation: InstallationState | undefined,
  source: SourceView | undefined,
): Told<typeof specSchema> {
  const events: z.infer<typeof specSchema>['events'] = [];
  if (spec.on.push !== undefined) events.push('push');
  if (spec.on.release !== undefined) events.push('release');
  if (spec.on.workflowRun !== undefined) events.push('workflow_run');
  if (spec.on.hooks !== undefined) events.push('hook');
  if (spec.on.schedules !== undefined) events.push('schedule');
  if (spec.on.deployments !== undefined) events.push('deployment');
  if (spec.on.pullRequest !== undefined) events.push('pull_request');
  const { lane } = spec.concurrency;
  return {
    name: spec.name,
    repository: spec.repository,
    environment: spec.environment,
    lane,
    paused: pauses.find((one) => isHeldBy({ spec: spec.name, lane }, one)),
    installation,
    events,
    gates: describeWaits(spec),
    steps: spec.steps.map((step) => step.name),
    file,
    line,
    url: source?.urlOf({ file, line }),
    digest,
  };
}

export const environmentSchema = z
  .object({
    environment: z.string(),
    spec: z.string(),
    lane: z.string(),
    repository: z.string(),
    run: z.string(),
    sha: z.string(),
    ref: z.string(),
    deployedAt: time,
    removed: z
      .boolean()
      .describe('No spec deploys there any more; what was deployed is still there'),
  })
  .meta({ id: 'Environment' });

/** `specs`: those in use; undefined while none could be read. */
export function toEnvironment(
  environment: Environment,
  specs: readonly LoadedSpec[] | undefined,
): Told<typeof environmentSchema> {
  const isKept = specs?.some(
    ({ spec }) => spec.name === environment.spec && spec.concurrency.lane === environment.lane,
  );
  return { ...environment, removed: isKept === false };
}
