import * as z from 'zod';
import type {
  HookTrigger,
  PushTrigger,
  ReleaseTrigger,
  Triggers,
  WorkflowRunTrigger,
} from '../model/deployment-spec.ts';
import { hookCondition, hookId, oneOrMore, problem, refuseList } from './schema-fields.ts';
import { MOST_PATTERNS, patterns, refPattern } from './schema-patterns.ts';
import { chains, toChain } from './schema-chain.ts';
import { pullRequest, toPullRequest } from './schema-pull-request.ts';
import { schedules, toSchedule } from './schema-schedule.ts';

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
    { when: isObject },
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
  types: oneOrMore(z.enum(RELEASE_TYPES), RELEASE_TYPES.length)
    .describe('What happened to the release. Default: published. Drafts never deploy.')
    .optional(),
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

const workflowName = z.string().min(1, 'is empty').max(500, 'more than 500 characters');

const workflowRun = z
  .strictObject({
    workflows: oneOrMore(
      workflowName,
      MOST_PATTERNS,
      workflowName.superRefine(refuseList),
    ).describe('Names of workflows, or filter patterns for them.'),
    branches: patterns('Filter patterns of the branch that the workflow ran for.', refPattern),
    'branches-ignore': patterns('Filter patterns of branches that do not count.', refPattern),
    types: oneOrMore(z.enum(RUN_TYPES), RUN_TYPES.length)
      .describe('Default: completed.')
      .optional(),
    conclusions: oneOrMore(z.enum(CONCLUSIONS), CONCLUSIONS.length)
      .describe('How the workflow ended. Default: success.')
      .optional(),
  })
  .superRefine((written, context) => exclusive(written, 'branches', context), { when: isObject });

const hook = z
  .strictObject({
    id: hookId.describe('The id of a hook (kind: hook).'),
    do: z
      .enum(['deploy', 'rollback'])
      .describe(
        'rollback: what was deployed before is deployed again, and the lane is paused. Default: deploy.',
      )
      .optional(),
    reason: z
      .string()
      .describe('Of a rollback: a CEL expression over body, inputs and hook that says why.')
      .optional(),
    if: hookCondition.optional(),
    ref: refPattern
      .describe('The branch or tag to deploy, as it is then. Default: the default branch.')
      .optional(),
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
    { when: isObject },
  );

const hooks = z
  .union([
    hook,
    z.array(hook).min(1, 'the list is empty').max(MOST_HOOKS, `more than ${MOST_HOOKS} entries`),
  ])
  .superRefine((written, context) => {
    const ids = Array.isArray(written) ? written.map(({ id }) => id) : [];
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) !== index) problem(context, `the hook ${id} is listed twice`);
    }
  });

const EVENT_NAMES = ['push', 'release', 'workflow_run'] as const;

const eventMap = z
  .strictObject({
    push: z
      .union([z.null(), push])
      .describe('A push to a branch or tag. Deletions never deploy.')
      .optional(),
    release: z.union([z.null(), release]).describe('A release; its tag is deployed.').optional(),
    workflow_run: workflowRun
      .describe(
        'A GitHub Actions workflow of the same repository. Never one for a pull request or a fork.',
      )
      .optional(),
    hook: hooks
      .describe('A request to a hook; a branch or tag is deployed as it is then.')
      .optional(),
    schedule: schedules
      .describe('Certain times; a branch or tag is deployed as it is then.')
      .optional(),
    deployment: chains
      .describe('The end of a run of another spec; the same revision is deployed.')
      .optional(),
    pull_request: z
      .union([z.null(), pullRequest])
      .describe(
        'Pull requests: each is deployed to an environment of its own, preview-<number>, until it is closed. No other trigger beside it.',
      )
      .optional(),
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
  });

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
    if (typeof written === 'object' && !Array.isArray(written)) {
      return {
        push: 'push' in written ? toPush(written.push ?? {}) : undefined,
        release: 'release' in written ? toRelease(written.release ?? {}) : undefined,
        workflowRun:
          written.workflow_run === undefined ? undefined : toWorkflowRun(written.workflow_run),
        ...(written.hook === undefined ? {} : { hooks: [written.hook].flat().map(toHook) }),
        ...(written.schedule === undefined
          ? {}
          : { schedules: [written.schedule].flat().map(toSchedule) }),
        ...(written.deployment === undefined
          ? {}
          : { deployments: [written.deployment].flat().map(toChain) }),
        ...('pull_request' in written
          ? { pullRequest: toPullRequest(written.pull_request ?? {}) }
          : {}),
      };
    }
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
      push: names.includes('push') ? toPush({}) : undefined,
      release: names.includes('release') ? toRelease({}) : undefined,
      workflowRun: undefined,
    };
  });

function needsTrigger(context: Parameters<typeof problem>[0]): void {
  problem(
    context,
    '"on" needs at least one trigger',
    `use ${EVENT_NAMES.join(', ')}, hook, schedule, deployment or pull_request`,
  );
}

/** As on GitHub, a list and its `-ignore` twin cannot be used together. */
function exclusive(written: object, list: string, context: Parameters<typeof problem>[0]): void {
  if (list in written && `${list}-ignore` in written) {
    problem(
      context,
      `"${list}" and "${list}-ignore" cannot be used together`,
      `keep "${list}" and take out with patterns that begin with "!"`,
    );
  }
}

function isObject(payload: { value: unknown }): boolean {
  return (
    typeof payload.value === 'object' && payload.value !== null && !Array.isArray(payload.value)
  );
}

function toPush(written: z.output<typeof push>): PushTrigger {
  return {
    branches: written.branches ?? [],
    branchesIgnore: written['branches-ignore'] ?? [],
    tags: written.tags ?? [],
    tagsIgnore: written['tags-ignore'] ?? [],
    paths: written.paths ?? [],
    pathsIgnore: written['paths-ignore'] ?? [],
  };
}

function toRelease(written: z.output<typeof release>): ReleaseTrigger {
  return { types: written.types ?? ['published'] };
}

function toWorkflowRun(written: z.output<typeof workflowRun>): WorkflowRunTrigger {
  return {
    workflows: written.workflows,
    branches: written.branches ?? [],
    branchesIgnore: written['branches-ignore'] ?? [],
    types: written.types ?? ['completed'],
    conclusions: written.conclusions ?? ['success'],
  };
}

function toHook(written: z.output<typeof hook>): HookTrigger {
  const { id, do: what = 'deploy', reason, ref } = written;
  return { id, do: what, reason, if: written.if, ref };
}
