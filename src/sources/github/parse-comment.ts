import type { CommentCommand, CommentEvent } from '../../model/event.ts';
import { type Fields, readFields, readName, readNumber, readRepository } from './payload.ts';

const NAME = '[A-Za-z0-9][A-Za-z0-9._/-]{0,99}';
const COMMANDS = {
  deploy: new RegExp(`^/deploy (?<target>${NAME})(?: (?<revision>[0-9a-f]{7,40}))?$`),
  rollback: new RegExp(`^/rollback (?<target>${NAME})(?: (?<reason>\\P{Cc}{1,200}))?$`, 'u'),
  retry: new RegExp(`^/retry(?: (?<target>${NAME}))?$`),
  approve: new RegExp(`^/approve(?: (?<target>${NAME}))?$`),
  explain: new RegExp(`^/explain(?: (?<target>${NAME}))?$`),
} as const;

/**
 * A command in a new comment on a pull request; undefined for every other comment. An edited comment is never a command, and those of
 * bots and Apps, Mainsheet's own among them, are not heard.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
 */
export function parseComment(payload: Fields): CommentEvent | undefined {
  if (payload.action !== 'created') return undefined;
  const issue = readFields(payload.issue, 'issue');
  if (issue.pull_request === undefined || issue.pull_request === null) return undefined;
  const comment = readFields(payload.comment, 'comment');
  const sender = readFields(payload.sender, 'sender');
  const isApps =
    comment.performed_via_github_app !== undefined && comment.performed_via_github_app !== null;
  if (sender.type !== 'User' || isApps) return undefined;
  const command = commandOf(comment.body);
  if (command === undefined) return undefined;
  return {
    kind: 'comment',
    repository: readRepository(payload.repository, 'repository'),
    by: readName(sender.login, 'sender.login'),
    comment: readNumber(comment.id, 'comment.id'),
    pull: readNumber(issue.number, 'issue.number'),
    command,
  };
}

/** The first line is the command, and nothing else stands in it. */
function commandOf(body: Fields[string] | undefined): CommentCommand | undefined {
  if (typeof body !== 'string') return undefined;
  const line = body.slice(0, 1000).split(/\r?\n/, 1)[0]?.trimEnd() ?? '';
  for (const name of ['deploy', 'rollback', 'retry', 'approve', 'explain'] as const) {
    const groups = COMMANDS[name].exec(line)?.groups;
    if (groups === undefined) continue;
    const { target, revision, reason } = groups;
    return { name, target, revision, reason: reason?.toWellFormed() };
  }
  return undefined;
}
