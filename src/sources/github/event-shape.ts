import type { Json } from '../../model/event.ts';

/** The fields by which the body of an event is known, and those that only other events with these fields have. */
interface Shape {
  has: readonly string[];
  hasNot: readonly string[];
  /** Bodies of other events are like it, too. */
  isCommon?: true;
}

/**
 * Only the events that Mainsheet acts on. The names of a payload's own fields are GitHub's alone: people choose values, never these.
 * A `deployment` and a `deployment_review` tell of the workflow run that made them, too, and a `deployment_status` of its check run.
 * Fields: https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
const SHAPES = new Map<string, Shape>([
  ['push', { has: ['ref', 'before', 'after', 'repository'], hasNot: ['action'] }],
  ['release', { has: ['action', 'release', 'repository'], hasNot: [] }],
  [
    'workflow_run',
    { has: ['action', 'workflow_run', 'repository'], hasNot: ['deployment', 'since'] },
  ],
  ['check_run', { has: ['action', 'check_run', 'repository'], hasNot: ['deployment'] }],
  ['check_suite', { has: ['action', 'check_suite', 'repository'], hasNot: [] }],
  [
    'deployment_protection_rule',
    { has: ['action', 'environment', 'deployment_callback_url', 'repository'], hasNot: [] },
  ],
  ['deployment_review', { has: ['action', 'workflow_run', 'since', 'repository'], hasNot: [] }],
  ['issue_comment', { has: ['action', 'issue', 'comment', 'repository'], hasNot: [] }],
  ['pull_request', { has: ['action', 'number', 'pull_request', 'repository'], hasNot: [] }],
  [
    'commit_comment',
    {
      has: ['action', 'comment', 'repository'],
      hasNot: ['issue', 'pull_request', 'discussion'],
    },
  ],
  ...['installation', 'installation_repositories', 'installation_target'].map(
    (name): [string, Shape] => [
      name,
      { has: ['action', 'installation'], hasNot: ['repository'], isCommon: true },
    ],
  ),
]);

/** The events that can start a run. */
export const DEPLOYING_EVENTS: ReadonlySet<string> = new Set([
  'push',
  'release',
  'workflow_run',
  'pull_request',
  'deployment_protection_rule',
]);

/**
 * Why a body cannot be that of the event it is said to be; undefined when it can. `name` comes in a header (`X-GitHub-Event`) that
 * the signature does not cover, so that a body signed as one event can be sent as another.
 */
export function whyAnotherEvent(name: string, payload: Json): string | undefined {
  const shape = SHAPES.get(name);
  const problem = shape && misfit(shape, payload);
  if (problem !== undefined) return `the body is not that of the event ${name}: it ${problem}`;
  if (shape !== undefined) return undefined;
  for (const [other, its] of SHAPES) {
    if (its.isCommon || misfit(its, payload) !== undefined) continue;
    return `the body is that of the event ${other}, not ${name}`;
  }
  return undefined;
}

function misfit({ has, hasNot }: Shape, payload: Json): string | undefined {
  if (typeof payload !== 'object' || payload === null) return 'is no object';
  const missing = has.filter((field) => !Object.hasOwn(payload, field));
  if (missing.length > 0) return `has no ${missing.join(', ')}`;
  const foreign = hasNot.filter((field) => Object.hasOwn(payload, field));
  return foreign.length > 0 ? `has ${foreign.join(', ')}` : undefined;
}
