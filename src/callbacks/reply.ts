import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import type { Place, Way } from './contract.ts';
import { githubKind } from './kind.ts';
import { findInPages } from './pages.ts';
import { endsWith, findComment } from './pull-comment.ts';

/** The answer to a command in a comment on a pull request or a commit. */
export interface ReplyCallback {
  kind: 'reply';
  repository: string;
  /** The pull request's number; undefined where the comment stands on `commit`. */
  pull?: number | undefined;
  commit?: string | undefined;
  comment: number;
  reaction: '+1' | 'confused';
  /** Markdown. */
  text: string;
}

/** The oldest come first. */
const MAX_PAGES = 10;

/** A reaction to the comment and a comment below it, once: where a try before may have arrived, it is looked for first. */
export const reply = githubKind<ReplyCallback>({
  kind: 'reply',
  target: ({ repository, pull, commit }) =>
    `reply:${repository.toLowerCase()}${commit === undefined ? `#${pull}` : `@${commit}`}`,
  tells: ({ reaction }) => (reaction === '+1' ? 'done' : 'refused'),

  doing: 'answer a comment in',
  async act(octokit, place, message, way) {
    const { pull, commit } = message;
    if (commit !== undefined) await answerCommit(octokit, place, { ...message, commit }, way);
    else if (pull !== undefined) await answerPull(octokit, place, { ...message, pull }, way);
  },

  permissions: [{ name: 'pull_requests', least: 'write', why: 'to answer commands in comments' }],
});

const bodyOf = (message: ReplyCallback) => `${message.text}\n\n${markOf(message)}`;
const markOf = ({ comment }: ReplyCallback) => `<!-- mainsheet: answers ${comment} -->`;
const isAnswer = (message: ReplyCallback) => endsWith(markOf(message));

async function answerPull(
  octokit: Octokit,
  place: Place,
  message: ReplyCallback & { pull: number },
  { retried }: Pick<Way, 'retried'>,
): Promise<void> {
  // GitHub answers the same for a reaction that is there.
  await octokit.request('POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions', {
    ...place,
    comment_id: message.comment,
    content: message.reaction,
  });
  if (retried && (await isOnPull(octokit, place, message))) return;
  await octokit.request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
    ...place,
    issue_number: message.pull,
    body: bodyOf(message),
  });
}

/** To react there an App needs `contents: write`, to answer only `contents: read`. */
async function answerCommit(
  octokit: Octokit,
  place: Place,
  message: ReplyCallback & { commit: string },
  { retried }: Pick<Way, 'retried'>,
): Promise<void> {
  const of = { ...place, commit_sha: message.commit };
  try {
    await octokit.request('POST /repos/{owner}/{repo}/comments/{comment_id}/reactions', {
      ...place,
      comment_id: message.comment,
      content: message.reaction,
    });
  } catch (error) {
    if (!(error instanceof RequestError && error.status === 403)) throw error;
  }
  if (retried && (await isOnCommit(octokit, of, message))) return;
  await octokit.request('POST /repos/{owner}/{repo}/commits/{commit_sha}/comments', {
    ...of,
    body: bodyOf(message),
  });
}

async function isOnCommit(
  octokit: Octokit,
  of: Place & { commit_sha: string },
  message: ReplyCallback,
): Promise<boolean> {
  const found = await findInPages(
    MAX_PAGES,
    (at) =>
      octokit.request('GET /repos/{owner}/{repo}/commits/{commit_sha}/comments', { ...of, ...at }),
    isAnswer(message),
  );
  return found !== undefined;
}

async function isOnPull(
  octokit: Octokit,
  place: Place,
  message: ReplyCallback & { pull: number },
): Promise<boolean> {
  const { data: asked } = await octokit.request(
    'GET /repos/{owner}/{repo}/issues/comments/{comment_id}',
    { ...place, comment_id: message.comment },
  );
  const { created_at: since } = asked;
  return (await findComment(octokit, place, message.pull, isAnswer(message), since)) !== undefined;
}
