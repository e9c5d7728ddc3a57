import { IMPORTANCE } from '../model/importance.ts';
import type { Annotation } from './annotations.ts';
import { setCompletedCheck } from './completed-check.ts';
import type { CallbackKind } from './contract.ts';

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

/** One for each commit: a pull request that is pushed to gets another, since GitHub ties a check run to its commit. */
export const planCheck: CallbackKind<PlanCheckCallback, Rendered> = {
  kind: 'plan-check',
  appOnly: true,
  due: () => [],
  target: ({ plan }) => `plan-check:${plan}`,
  tells: ({ conclusion }) => conclusion,
  importance: () => IMPORTANCE.intermediate,
  payer: ({ repository }) => repository,
  isState: true,

  async render(callback, _entry, { store }) {
    const told = await store.plans.told(callback.plan);
    const isOfCommit = told?.checkSha === callback.sha;
    return { ...callback, checkRunId: isOfCommit ? told.checkRunId : undefined };
  },

  bare: (message) => ({
    ...message,
    text: 'GitHub did not take the details.',
    annotations: [],
  }),

  send: async (message, way) => ({
    id: await way.github(message.repository, 'set the check run of', (octokit, place) =>
      setCompletedCheck(octokit, place, { ...message, name: NAME, externalId: message.plan }),
    ),
  }),

  keep: ({ plans }, { plan, sha }, id) => plans.setCheck(plan, id, sha),
  permissions: [{ name: 'checks', least: 'write', why: 'to show what merging would deploy' }],
};
