import { cleanLine } from '../../lib/clean-text.ts';
import { cutText } from '../../lib/cut-text.ts';
import { TerminalError } from '../../lib/errors.ts';
import type { PullRequestEvent } from '../../model/event.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readNumber,
  readOptional,
  readRefName,
  readRepository,
} from './payload.ts';

/** What changes what merging would do, or whether that is to be said. */
const ACTIONS: ReadonlySet<unknown> = new Set([
  'opened',
  'synchronize',
  'reopened',
  'ready_for_review',
  'converted_to_draft',
  'closed',
]);
/** Characters of a title. */
const MOST_TITLE = 300;

/** Whether what has happened to a pull request can be of the kinds that `parsePullRequest` reads. */
export function mayChangePull(action: string | undefined): boolean {
  return action === undefined || action === 'edited' || ACTIONS.has(action);
}

/**
 * A pull request that has other commits, another base, or was opened or closed; undefined for what else happens to one.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
 */
export function parsePullRequest(payload: Fields): PullRequestEvent | undefined {
  if (!ACTIONS.has(payload.action) && !isRetargeted(payload)) return undefined;
  const pull = readFields(payload.pull_request, 'pull_request');
  const base = readFields(pull.base, 'pull_request.base');
  const head = readFields(pull.head, 'pull_request.head');
  const repository = readFields(payload.repository, 'repository');
  return {
    kind: 'pull_request',
    repository: readRepository(repository, 'repository'),
    number: readNumber(pull.number, 'pull_request.number'),
    isReady: pull.state === 'open' && pull.draft !== true,
    isClosed: pull.state === 'closed',
    isReopened: payload.action === 'reopened',
    base: readRefName(base.ref, 'pull_request.base.ref'),
    head: readCommit(head.sha, 'pull_request.head.sha'),
    headBranch: readRefName(head.ref, 'pull_request.head.ref'),
    headRepository: repositoryOf(head),
    title: titleIn(pull),
    defaultBranch: readOptional(
      readRefName,
      repository.default_branch,
      'repository.default_branch',
    ),
    changedAt: readTime(pull.updated_at),
  };
}

/** A fork that was deleted is null. */
function repositoryOf({ repo }: Fields): string | undefined {
  if (repo === null || repo === undefined) return undefined;
  return readRepository(readFields(repo, 'pull_request.head.repo'), 'pull_request.head.repo');
}

/** It decides nothing but what a condition may ask for, and may be anything. */
function titleIn({ title }: Fields): string {
  return typeof title === 'string' ? cutText(cleanLine(title), MOST_TITLE).toWellFormed() : '';
}

/** `edited` is also said of its title. */
function isRetargeted({ action, changes }: Fields): boolean {
  return (
    action === 'edited' &&
    typeof changes === 'object' &&
    changes !== null &&
    Object.hasOwn(changes, 'base')
  );
}

function readTime(value: Fields[string] | undefined): number {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isSafeInteger(time)) return time;
  throw new TerminalError('payload-unreadable', 'pull_request.updated_at is no time');
}
