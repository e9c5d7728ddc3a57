import * as z from 'zod';
import type {
  HookTrigger,
  PushTrigger,
  ReleaseTrigger,
  Triggers,
  WorkflowRunTrigger,
} from '../model/deployment-spec.ts';
import {
  type Context,
  filled,
  hookCondition,
  hookId,
  oneOrMore,
  optional,
  problem,
  refuseList,
} from './schema-fields.ts';
import { MOST_PATTERNS, patterns, refPattern } from './schema-patterns.ts';
import { chains } from './schema-chain.ts';
import { pullRequests } from './schema-pull-request.ts';
import { schedules } from './schema-schedule.ts';
import { isRecord } from '../lib/json.ts';

const MOST_HOOKS = 20;

const push = z
  .strictObject({
    branches: patterns(
      'Filter patterns of branches. Without it (and without tags) every branch counts.',
      refPattern,
    ),
    'branches-ignore': patterns('Filter patterns of branches that do not count.', refPattern),
    tags: patterns(
      'Filter patterns of tags. Without it (and without branches) every tag counts.',
      refPattern,
    ),
    'tags-ignore': patterns('Filter patterns of tags that do not count.', refPattern),
    paths: patterns('At least one changed file must match. Not looked at for tags.'),
    'paths-ignore': patterns(
      'At least one changed file must match none of these. Not looked at for tags.',
    ),
  })
  .superRefine(
    (written, context) => {
      for (const list of ['branches', 'tags', 'paths'] as const) exclusive(written, list, context);
    },
    { when: ({ value }) => isRecord(value) },
  );

const RELEASE_TYPES = [
  'published',
  'unpublished',
  'created',
  'edited',
  'deleted',
  'prereleased',
  'released',
] as const;

const release = z.strictObject({
  types: optional(
    'What happened to the release. Default: published. Drafts never deploy.',
    oneOrMore(z.enum(RELEASE_TYPES), RELEASE_TYPES.length),
  ),
});

const RUN_TYPES = ['completed', 'requested', 'in_progress'] as const;
const CONCLUSIONS = [
  'success',
  'failure',
  'neutral',
  'cancelled',
  'skipped',
  'timed_out',
  'action_required',
  'stale',
  'startup_failure',
] as const;

const workflowName = filled(500);

const workflowRun = z
  .strictObject({
    workflows: oneOrMore(
      workflowName,
      MOST_PATTERNS,
      workflowName.superRefine(refuseList),
    ).describe('Names of workflows, or filter patterns for them.'),
    branches: patterns('Filter patterns of the branch that the workflow ran for.', refPattern),
    'branches-ignore': patterns('Filter patterns of branches that do not count.', refPattern),
    types: optional('Default: completed.', oneOrMore(z.enum(RUN_TYPES), RUN_TYPES.length)),
    conclusions: optional(
      'How the workflow ended. Default: success.',
      oneOrMore(z.enum(CONCLUSIONS), CONCLUSIONS.length),
    ),
  })
  .superRefine((written, context) => exclusive(written, 'branches', context), {
    when: ({ value }) => isRecord(value),
  })
  .transform(
    ({
      workflows,
      branches = [],
      types = ['completed'],
      conclusions = ['success'],
      ...ignored
    }): WorkflowRunTrigger => ({
      workflows,
      branches,
      branchesIgnore: ignored['branches-ignore'] ?? [],
      types,
      conclusions,
    }),
  );

const hook = z
  .strictObject({
    id: hookId.describe('The id of a hook (kind: hook).'),
    do: optional(
      'rollback: what was deployed before is deployed again, and the lane is paused. Default: deploy.',
      z.enum(['deploy', 'rollback']),
    ),
    reason: optional(
      'Of a rollback: a CEL expression over body, inputs and hook that says why.',
      z.string(),
    ),
    if: hookCondition.optional(),
    ref: optional(
      'The branch or tag to deploy, as it is then. Default: the default branch.',
      refPattern,
    ),
  })
  .superRefine(
    (written, context) => {
      const rollsBack = written.do === 'rollback';
      if (rollsBack && written.ref !== undefined) {
        const hint = 'take "ref" out: what was deployed before is deployed again';
        problem(context, '"ref" and "do: rollback" cannot be used together', hint);
      }
      if (!rollsBack && written.reason !== undefined) {
        problem(context, '"reason" is for rollbacks', 'write "do: rollback" beside it');
      }
    },
    { when: ({ value }) => isRecord(value) },
  )
  .transform(({ id, do: what = 'deploy', reason, if: condition, ref }): HookTrigger => ({
    id,
    do: what,
    reason,
    if: condition,
    ref,
  }));

const hooks = oneOrMore(hook, MOST_HOOKS).superRefine((list, context) => {
  const ids = list.map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    if (ids.indexOf(id) !== index) problem(context, `the hook ${id} is listed twice`);
  }
});

const EVENT_NAMES = ['push', 'release', 'workflow_run'] as const;

const eventMap = z
  .strictObject({
    push: optional(
      'A push to a branch or tag. Deletions never deploy.',
      z.union([z.null(), push]).transform(toPush),
    ),
    release: optional(
      'A release; its tag is deployed.',
      z.union([z.null(), release]).transform(toRelease),
    ),
    workflow_run: optional(
      'A GitHub Actions workflow of the same repository. Never one for a pull request or a fork.',
      workflowRun,
    ),
    hook: optional('A request to a hook; a branch or tag is deployed as it is then.', hooks),
    schedule: optional('Certain times; a branch or tag is deployed as it is then.', schedules),
    deployment: optional(
      'The end of a run of another spec; the same revision is deployed.',
      chains,
    ),
    pull_request: optional(
      'Pull requests: each is deployed to an environment of its own, preview-<number>, until it is closed. No other trigger beside it.',
      pullRequests,
    ),
  })
  .superRefine((written, context) => {
    if (Object.keys(written).length === 0) needsTrigger(context);
    if ('pull_request' in written && Object.keys(written).length > 1) {
      problem(
        context,
        '"pull_request" stands alone: its runs have environments of their own',
        'write a spec of its own for previews',
      );
    }
  })
  .transform((written): Triggers => ({
    push: written.push,
    release: written.release,
    workflowRun: written.workflow_run,
    hooks: written.hook,
    schedules: written.schedule,
    deployments: written.deployment,
    pullRequest: written.pull_request,
  }));

/** The written `on:`, in any of GitHub's three forms: one name, a list of names, a map. */
export const triggers = z
  .union([
    z.enum(EVENT_NAMES),
    z.array(z.enum(EVENT_NAMES)).superRefine((list, context) => {
      if (list.length === 0) needsTrigger(context);
    }),
    eventMap,
  ])
  .transform((written, context): Triggers => {
    if (typeof written === 'object' && !Array.isArray(written)) return written;
    const names = Array.isArray(written) ? written : [written];
    if (names.includes('workflow_run')) {
      problem(
        context,
        'workflow_run needs to know which workflows',
        'write it as a map: on: { workflow_run: { workflows: [CI] } }',
      );
      return z.NEVER;
    }
    return {
      push: names.includes('push') ? toPush(null) : undefined,
      release: names.includes('release') ? toRelease(null) : undefined,
      workflowRun: undefined,
    };
  });

function needsTrigger(context: Context): void {
  problem(
    context,
    '"on" needs at least one trigger',
    `use ${EVENT_NAMES.join(', ')}, hook, schedule, deployment or pull_request`,
  );
}

/** As on GitHub, a list and its `-ignore` twin cannot be used together. */
function exclusive(written: object, list: string, context: Context): void {
  if (list in written && `${list}-ignore` in written) {
    problem(
      context,
      `"${list}" and "${list}-ignore" cannot be used together`,
      `keep "${list}" and take out with patterns that begin with "!"`,
    );
  }
}

function toPush(written: z.output<typeof push> | null): PushTrigger {
  const { branches = [], tags = [], paths = [], ...ignored } = written ?? {};
  return {
    branches,
    branchesIgnore: ignored['branches-ignore'] ?? [],
    tags,
    tagsIgnore: ignored['tags-ignore'] ?? [],
    paths,
    pathsIgnore: ignored['paths-ignore'] ?? [],
  };
}

function toRelease(written: z.output<typeof release> | null): ReleaseTrigger {
  return { types: written?.types ?? ['published'] };
}
