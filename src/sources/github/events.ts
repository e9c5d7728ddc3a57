import { TerminalError } from '../../lib/errors.ts';
import type {
  Event,
  Json,
  OtherEvent,
  PingEvent,
  ReleaseEvent,
  WorkflowRunEvent,
} from '../../model/event.ts';
import { describePayload } from './describe-delivery.ts';
import { whyAnotherEvent } from './event-shape.ts';
import { parseCheck } from './parse-check.ts';
import { parseComment } from './parse-comment.ts';
import { parseInstallation } from './parse-installation.ts';
import { parsePullRequest } from './parse-pull-request.ts';
import { parseProtection, parseReview } from './parse-protection.ts';
import { parsePush } from './parse-push.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readName,
  readOptional,
  readRefName,
  readRepository,
} from './payload.ts';

/**
 * What a delivery means. `name` is `X-GitHub-Event`. Never throws: a payload that cannot be read, or that holds a name no
 * repository, ref or commit can have, or is another event's, becomes `other` with the reason, so that one bad delivery never stops the intake.
 * Fields: https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export function parseEvent(name: string, payload: Json): Event {
  try {
    const fields = readFields(payload, 'the payload');
    const mismatch = whyAnotherEvent(name, payload);
    if (mismatch !== undefined) throw new TerminalError('payload-unreadable', mismatch);
    if (name === 'push') return parsePush(fields);
    if (name === 'release') return parseRelease(fields);
    if (name === 'workflow_run') return parseWorkflowRun(fields);
    if (name === 'ping') return parsePing(fields);
    if (name === 'check_run' || name === 'check_suite') {
      const reason = 'nothing was asked of Mainsheet on a check run';
      return parseCheck(name, fields) ?? other(name, payload, reason);
    }
    if (name === 'deployment_protection_rule') {
      return parseProtection(fields) ?? other(name, payload, 'no job waits for an answer');
    }
    if (name === 'deployment_review') {
      return parseReview(fields) ?? other(name, payload, 'it has not been answered yet');
    }
    if (name === 'issue_comment' || name === 'commit_comment') {
      const reason = 'it is no new command on a pull request or a commit';
      return parseComment(name, fields) ?? other(name, payload, reason);
    }
    if (name === 'pull_request') {
      const reason = 'nothing changed that a plan is about';
      return parsePullRequest(fields) ?? other(name, payload, reason);
    }
    if (/^installation(?:_repositories|_target)?$/.test(name)) {
      const reason = 'nothing changed for Mainsheet';
      return parseInstallation(name, fields) ?? other(name, payload, reason);
    }
    return other(name, payload, 'Mainsheet deploys on push, release and workflow_run');
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const reason = `the ${name} payload cannot be read: ${error.message}`;
    return { ...other(name, payload, reason), isUnreadable: true };
  }
}

/** A release names its tag only: the commit comes from git later. `target_commitish` is where the tag *would* be made. */
function parseRelease(payload: Fields): ReleaseEvent {
  const release = readFields(payload.release, 'release');
  return {
    kind: 'release',
    repository: readRepository(payload.repository, 'repository'),
    action: readName(payload.action, 'action'),
    tag: readRefName(release.tag_name, 'release.tag_name'),
    draft: release.draft === true,
    prerelease: release.prerelease === true,
    sha: undefined,
  };
}

function parseWorkflowRun(payload: Fields): WorkflowRunEvent {
  const run = readFields(payload.workflow_run, 'workflow_run');
  return {
    kind: 'workflow_run',
    repository: readRepository(payload.repository, 'repository'),
    action: readName(payload.action, 'action'),
    workflow: workflowName(payload, run),
    conclusion: readOptional(readName, run.conclusion, 'workflow_run.conclusion'),
    branch: readOptional(readRefName, run.head_branch, 'workflow_run.head_branch'),
    sha: readCommit(run.head_sha, 'workflow_run.head_sha'),
    trigger: readName(run.event, 'workflow_run.event'),
    headRepository: headRepository(run),
  };
}

/** `workflow_run.name` may be null or empty where the workflow itself has its name. */
function workflowName(payload: Fields, run: Fields): string {
  if (typeof payload.workflow === 'object' && payload.workflow !== null) {
    return readName(readFields(payload.workflow, 'workflow').name, 'workflow.name');
  }
  return readName(run.name, 'workflow_run.name');
}

/** Null when the fork it came from was deleted. */
function headRepository(run: Fields): string | undefined {
  return run.head_repository === undefined || run.head_repository === null
    ? undefined
    : readRepository(run.head_repository, 'workflow_run.head_repository');
}

/** A ping of an organisation's or an App's hook names no repository. */
function parsePing(payload: Fields): PingEvent {
  const { repository } = describePayload('ping', payload);
  return { kind: 'ping', repository };
}

function other(name: string, payload: Json, reason: string): OtherEvent {
  return { kind: 'other', name, ...describePayload(name, payload), reason };
}
