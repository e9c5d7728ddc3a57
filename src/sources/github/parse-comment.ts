import { isDeepStrictEqual } from 'node:util';
import { COMMANDS, type CommentCommand, type CommentEvent } from '../../model/event.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readName,
  readNumber,
  readRepository,
} from './payload.ts';

const NAME = '[A-Za-z0-9][A-Za-z0-9._/-]{0,99}';
const FORMS = {
  deploy: new RegExp(`^/deploy (?<target>${NAME})(?: (?<revision>[0-9a-f]{7,40}))?$`),
  rollback: new RegExp(`^/rollback (?<target>${NAME})(?: (?<reason>\\P{Cc}{1,200}))?$`, 'u'),
  retry: new RegExp(`^/retry(?: (?<target>${NAME}))?$`),
  approve: new RegExp(`^/approve(?: (?<target>${NAME}))?$`),
  explain: new RegExp(`^/explain(?: (?<target>${NAME}))?$`),
} as const satisfies Record<CommentCommand['name'], RegExp>;

/**
 * A command in a new comment on a pull request or a commit, or in one that was edited into it; undefined for every other comment.
 * Those of bots and Apps, Mainsheet's own among them, are not heard.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment, #commit_comment
 */
export function parseComment(
  name: 'issue_comment' | 'commit_comment',
  payload: Fields,
): CommentEvent | undefined {
  const isEdited = payload.action === 'edited';
  if (payload.action !== 'created' && !isEdited) return undefined;
  const comment = readFields(payload.comment, 'comment');
  const place = name === 'issue_comment' ? pullOf(payload) : { commit: commitOf(comment) };
  if (place === undefined) return undefined;
  const sender = readFields(payload.sender, 'sender');
  const isApps =
    comment.performed_via_github_app !== undefined && comment.performed_via_github_app !== null;
  if (sender.type !== 'User' || isApps) return undefined;
  const command = commandOf(comment.body);
  if (command === undefined || (isEdited && !isNew(command, payload))) return undefined;
  return {
    kind: 'comment',
    repository: readRepository(payload.repository, 'repository'),
    by: readName(sender.login, 'sender.login'),
    comment: readNumber(comment.id, 'comment.id'),
    writtenAt: timeOf(comment.created_at),
    on: place,
    isEdited,
    command,
  };
}

function timeOf(value: Fields[string] | undefined): number {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? Infinity : time;
}

function pullOf(payload: Fields): { pull: number } | undefined {
  const issue = readFields(payload.issue, 'issue');
  if (issue.pull_request === undefined || issue.pull_request === null) return undefined;
  return { pull: readNumber(issue.number, 'issue.number') };
}

const commitOf = (comment: Fields) => readCommit(comment.commit_id, 'comment.commit_id');

/** Whether the edit has made the command: what was there before is not the same. */
function isNew(command: CommentCommand, payload: Fields): boolean {
  const changes = readFields(payload.changes ?? {}, 'changes');
  const body = readFields(changes.body ?? {}, 'changes.body');
  return body.from !== undefined && !isDeepStrictEqual(commandOf(body.from), command);
}

/** The first line is the command, and nothing else stands in it. */
function commandOf(body: Fields[string] | undefined): CommentCommand | undefined {
  if (typeof body !== 'string') return undefined;
  const line = body.slice(0, 1000).split(/\r?\n/, 1)[0]?.trimEnd() ?? '';
  for (const name of COMMANDS) {
    const groups = FORMS[name].exec(line)?.groups;
    if (groups === undefined) continue;
    const { target, revision, reason } = groups;
    return { name, target, revision, reason: reason?.toWellFormed() };
  }
  return undefined;
}
