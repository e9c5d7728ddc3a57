import type { Octokit } from '@octokit/rest';
import { IMPORTANCE } from '../model/importance.ts';
import type { Annotation } from './annotations.ts';
import { findCheck, isAnnotated } from './check-lookup.ts';
import type { CallbackKind, Place } from './contract.ts';
import { description, madeId } from './fields.ts';

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
      set(octokit, place, message),
    ),
  }),

  keep: ({ plans }, { plan, sha }, id) => plans.setCheck(plan, id, sha),
  permissions: [{ name: 'checks', least: 'write', why: 'to show what merging would deploy' }],
};

/** https://docs.github.com/en/rest/checks/runs#create-a-check-run */
async function set(octokit: Octokit, place: Place, message: Rendered): Promise<number> {
  const { sha, plan } = message;
  // It may be there although no answer told its number.
  const known =
    message.checkRunId ?? (await findCheck(octokit, place, { sha, name: NAME, externalId: plan }));
  if (known === undefined) {
    const made = await octokit.request('POST /repos/{owner}/{repo}/check-runs', {
      ...place,
      ...fieldsOf(message, message.annotations),
      name: NAME,
      head_sha: sha,
      external_id: plan,
    });
    return madeId(made.status, made.data);
  }
  const isNews = message.annotations.length > 0 && !(await isAnnotated(octokit, place, known));
  const { status, data } = await octokit.request(
    'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}',
    { ...place, ...fieldsOf(message, isNews ? message.annotations : []), check_run_id: known },
  );
  return madeId(status, data);
}

function fieldsOf({ conclusion, title, text }: Rendered, annotations: readonly Annotation[]) {
  return {
    status: 'completed' as const,
    conclusion,
    output: {
      title: description(title),
      summary: text,
      ...(annotations.length === 0 ? {} : { annotations: [...annotations] }),
    },
  };
}
