import { IMPORTANCE } from '../model/importance.ts';
import { githubKind } from './kind.ts';
import { setPullComment } from './pull-comment.ts';

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
export const planComment = githubKind<PlanCommentCallback, Rendered>({
  kind: 'plan-comment',
  target: ({ plan }) => `plan-comment:${plan}`,
  tells: ({ sha }) => sha.slice(0, 7),
  importance: () => IMPORTANCE.intermediate,
  isState: true,

  async render(callback, _entry, { store }) {
    return { ...callback, commentId: (await store.plans.told(callback.plan))?.commentId };
  },

  doing: 'comment on a pull request of',
  act: async (octokit, place, message) =>
    await setPullComment(octokit, place, {
      ...message,
      mark: `<!-- mainsheet: plan ${message.plan} -->`,
    }),

  keep: ({ plans }, { plan }, id) => plans.setComment(plan, id),
  permissions: [{ name: 'pull_requests', least: 'write', why: 'to say what merging would deploy' }],
});
