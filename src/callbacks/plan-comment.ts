import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import { IMPORTANCE } from '../model/importance.ts';
import { findComment } from './comment-lookup.ts';
import type { CallbackKind, Place } from './contract.ts';
import { madeId } from './fields.ts';

/** The comment on a pull request that says what merging would do. */
export interface PlanCommentCallback {
  kind: 'plan-comment';
  repository: string;
  /** The plan's id, which the comment is known by: no other comment has it before ours does. */
  plan: string;
  pull: number;
  /** Of what commit it speaks. */
  sha: string;
  /** Markdown. */
  text: string;
}

type Rendered = PlanCommentCallback & { commentId: number | undefined };

/** One for each pull request, changed when there is more to say. */
export const planComment: CallbackKind<PlanCommentCallback, Rendered> = {
  kind: 'plan-comment',
  due: () => [],
  target: ({ plan }) => `plan-comment:${plan}`,
  tells: ({ sha }) => sha.slice(0, 7),
  importance: () => IMPORTANCE.intermediate,
  payer: ({ repository }) => repository,
  isState: true,

  async render(callback, _entry, { store }) {
    return { ...callback, commentId: (await store.plans.told(callback.plan))?.commentId };
  },

  send: async (message, way) => ({
    id: await way.github(message.repository, 'comment on a pull request of', (octokit, place) =>
      set(octokit, place, message),
    ),
  }),

  keep: ({ plans }, { plan }, id) => plans.setComment(plan, id),
  permissions: [{ name: 'pull_requests', least: 'write', why: 'to say what merging would deploy' }],
};

/** https://docs.github.com/en/rest/issues/comments#create-an-issue-comment */
async function set(octokit: Octokit, place: Place, message: Rendered): Promise<number> {
  const mark = `<!-- mainsheet: plan ${message.plan} -->`;
  const body = `${message.text}\n\n${mark}`;
  const known =
    message.commentId ??
    (await findComment(octokit, place, message.pull, (text) => text.endsWith(mark)));
  if (known !== undefined && (await change(octokit, place, known, body))) return known;
  const { status, data } = await octokit.request(
    'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
    { ...place, issue_number: message.pull, body },
  );
  return madeId(status, data);
}

/** False when it was deleted. */
async function change(
  octokit: Octokit,
  place: Place,
  comment: number,
  body: string,
): Promise<boolean> {
  try {
    await octokit.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      ...place,
      comment_id: comment,
      body,
    });
    return true;
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return false;
    throw error;
  }
}
