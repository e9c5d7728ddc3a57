import type { Octokit } from '@octokit/rest';
import { IMPORTANCE } from '../model/importance.ts';
import { findComment } from './comment-lookup.ts';
import type { CallbackKind, Place } from './contract.ts';

/** The answer to a command in a comment on a pull request. */
export interface ReplyCallback {
  kind: 'reply';
  repository: string;
  pull: number;
  comment: number;
  reaction: '+1' | 'confused';
  /** Markdown. */
  text: string;
}

/** A reaction to the comment and a comment below it, once: where a try before may have arrived, it is looked for first. */
export const reply: CallbackKind<ReplyCallback, ReplyCallback> = {
  kind: 'reply',
  due: () => [],
  target: ({ repository, pull }) => `reply:${repository.toLowerCase()}#${pull}`,
  tells: ({ reaction }) => (reaction === '+1' ? 'done' : 'refused'),
  importance: () => IMPORTANCE.notification,
  payer: ({ repository }) => repository,
  render: async (callback) => callback,

  async send(message, way) {
    await way.github(message.repository, 'answer a comment in', async (octokit, place) => {
      // GitHub answers the same for a reaction that is there.
      await octokit.request('POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions', {
        ...place,
        comment_id: message.comment,
        content: message.reaction,
      });
      if (way.retried && (await isThere(octokit, place, message))) return;
      await octokit.request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
        ...place,
        issue_number: message.pull,
        body: `${message.text}\n\n${markOf(message)}`,
      });
    });
    return {};
  },

  permissions: [{ name: 'pull_requests', least: 'write', why: 'to answer commands in comments' }],
};

const markOf = ({ comment }: ReplyCallback) => `<!-- mainsheet: answers ${comment} -->`;

async function isThere(octokit: Octokit, place: Place, message: ReplyCallback): Promise<boolean> {
  const { data: asked } = await octokit.request(
    'GET /repos/{owner}/{repo}/issues/comments/{comment_id}',
    { ...place, comment_id: message.comment },
  );
  const isIt = (text: string) => text.endsWith(markOf(message));
  return (await findComment(octokit, place, message.pull, isIt, asked.created_at)) !== undefined;
}
