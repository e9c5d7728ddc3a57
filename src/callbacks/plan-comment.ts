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

const target = ({ plan }: PlanCommentCallback) => `plan-comment:${plan}`;

/** One for each pull request, changed when there is more to say. */
export const planComment = githubKind<PlanCommentCallback, Rendered>({
  kind: 'plan-comment',
  title: 'Comment of a plan',
  target,
  tells: ({ sha }) => sha.slice(0, 7),
  importance: () => IMPORTANCE.intermediate,
  isState: true,

  async render(callback, _entry, { store }) {
    return { ...callback, commentId: await store.outbox.number(target(callback)) };
  },

  doing: 'comment on a pull request of',
  act: async (octokit, place, message) =>
    await setPullComment(octokit, place, {
      ...message,
      mark: `<!-- mainsheet: plan ${message.plan} -->`,
    }),

  numbered: target,
  permissions: [{ name: 'pull_requests', least: 'write', why: 'to say what merging would deploy' }],
});
