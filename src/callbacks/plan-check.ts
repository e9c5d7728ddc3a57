import type { Annotation } from './annotations.ts';
import { setCompletedCheck } from './check-run.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { githubKind } from './kind.ts';

/** The check run on a pull request's newest commit that says what merging would do. */
export interface PlanCheckCallback {
  kind: 'plan-check';
  repository: string;
  /** The plan's id. */
  plan: string;
  sha: string;
  conclusion: 'success' | 'failure' | 'neutral';
  title: string;
  /** Markdown. */
  text: string;
  annotations: readonly Annotation[];
}

type Rendered = PlanCheckCallback & { checkRunId: number | undefined };

const NAME = 'mainsheet/plan';

const numbered = ({ plan, sha }: PlanCheckCallback) => `plan-check:${plan}:${sha}`;

/** One for each commit: a pull request that is pushed to gets another, since GitHub ties a check run to its commit. */
export const planCheck = githubKind<PlanCheckCallback, Rendered>({
  kind: 'plan-check',
  title: 'Check run of a plan',
  appOnly: true,
  target: ({ plan }) => `plan-check:${plan}`,
  tells: ({ conclusion }) => conclusion,
  importance: () => IMPORTANCE.intermediate,
  isState: true,

  async render(callback, _entry, { store }) {
    return { ...callback, checkRunId: await store.outbox.number(numbered(callback)) };
  },

  bare: (message) => ({
    ...message,
    text: 'GitHub did not take the details.',
    annotations: [],
  }),

  doing: 'set the check run of',
  act: async (octokit, place, message) =>
    await setCompletedCheck(octokit, place, { ...message, name: NAME, externalId: message.plan }),

  numbered,
  permissions: [{ name: 'checks', least: 'write', why: 'to show what merging would deploy' }],
});
