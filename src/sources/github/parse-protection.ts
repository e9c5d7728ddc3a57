import { TerminalError } from '../../lib/errors.ts';
import type { CheckEvent, ProtectionEvent } from '../../model/event.ts';
import { PROTECTION } from '../../model/protection.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readName,
  readRefName,
  readRepository,
} from './payload.ts';

const LONGEST_ENVIRONMENT = 255;
const LONGEST_COMMENT = 200;

/**
 * A job of Actions that waits at an environment for which the App is a protection rule; undefined for what else may be told of one. Of
 * the address to answer to only what it says is read, and never asked: whose API it is, and which workflow run.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_protection_rule
 */
export function parseProtection(payload: Fields): ProtectionEvent | undefined {
  if (payload.action !== 'requested') return undefined;
  const deployment = readFields(payload.deployment, 'deployment');
  const repository = readRepository(payload.repository, 'repository');
  return {
    kind: PROTECTION,
    repository,
    environment: readEnvironment(payload.environment, 'environment'),
    trigger: readName(payload.event, 'event'),
    sha: readCommit(deployment.sha, 'deployment.sha'),
    ref: readRefName(deployment.ref, 'deployment.ref'),
    ...readCallback(
      readName(payload.deployment_callback_url, 'deployment_callback_url'),
      repository,
    ),
  };
}

/**
 * What a person answered to GitHub's own question whether a job may deploy; undefined for the question itself.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_review
 */
export function parseReview(payload: Fields): CheckEvent | undefined {
  const { action } = payload;
  const press = action === 'approved' ? 'approve' : action === 'rejected' ? 'reject' : undefined;
  if (press === undefined) return undefined;
  const run = readFields(payload.workflow_run, 'workflow_run');
  const jobs = Array.isArray(payload.workflow_job_runs)
    ? payload.workflow_job_runs
    : [payload.workflow_job_run ?? null];
  const names = jobs.map((job, index) =>
    readEnvironment(readFields(job, 'workflow_job_runs').environment, `workflow_job_runs.${index}`),
  );
  const comment = typeof payload.comment === 'string' ? payload.comment : '';
  return {
    kind: 'check',
    repository: readRepository(payload.repository, 'repository'),
    press,
    by: readName(readFields(payload.approver, 'approver').login, 'approver.login'),
    commit: readCommit(run.head_sha, 'workflow_run.head_sha'),
    checkRun: undefined,
    review: {
      workflowRun: readId(run.id, 'workflow_run.id'),
      environments: [...new Set(names)].slice(0, 50),
      comment: comment.slice(0, LONGEST_COMMENT).toWellFormed(),
    },
  };
}

function readCallback(
  text: string,
  repository: string,
): Pick<ProtectionEvent, 'apiUrl' | 'workflowRun'> {
  const url = URL.parse(text);
  const [, base, name = '', id] =
    /^(.*)\/repos\/([^/]+\/[^/]+)\/actions\/runs\/(\d{1,16})\/deployment_protection_rule$/.exec(
      url?.pathname ?? '',
    ) ?? [];
  if (url === null || base === undefined || name.toLowerCase() !== repository.toLowerCase()) {
    throw new TerminalError(
      'payload-unreadable',
      `deployment_callback_url is none of a workflow run of ${repository}`,
    );
  }
  return {
    apiUrl: url.origin + base,
    workflowRun: readId(Number(id), 'the workflow run in deployment_callback_url'),
  };
}

function readEnvironment(value: Fields[string] | undefined, where: string): string {
  const name = readName(value, where);
  if (name.length <= LONGEST_ENVIRONMENT) return name;
  throw new TerminalError('payload-unreadable', `${where} is longer than any environment's name`);
}

function readId(value: Fields[string] | undefined, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw new TerminalError('payload-unreadable', `${where} is no number`);
}
