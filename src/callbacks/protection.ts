import { RequestError } from '@octokit/request-error';
import { cutText } from '../lib/cut-text.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { isProtection, workflowRunOf } from '../model/protection.ts';
import { hasEnded } from '../model/run.ts';
import { plain } from './check-output.ts';
import { linkTo } from './describe.ts';
import { link, withoutAstral } from './fields.ts';
import { githubKind } from './kind.ts';

/** The answer to a job of Actions that waits at an environment, or what it waits for. */
export interface ProtectionCallback {
  kind: 'protection';
  repository: string;
  environment: string;
  workflowRun: number;
  /** Undefined: it waits. */
  state: 'approved' | 'rejected' | undefined;
  /** Markdown. */
  comment: string;
}

const LONGEST_COMMENT = 1000;

/**
 * What GitHub is told of a run that stands for a job of Actions: what it waits for, once, and then whether it may deploy. The address
 * is that of our API with the number of the workflow run, whatever address the payload named.
 */
export const protection = githubKind<ProtectionCallback>({
  kind: 'protection',
  title: 'Answer to Actions',
  appOnly: true,

  due({ run, previous, publicUrl }) {
    const isAsked = previous === undefined && run.state === 'blocked';
    if (!isProtection(run) || (!isAsked && !hasEnded(run.state))) return [];
    const page = link(linkTo(run.id, publicUrl));
    const text = plain(withoutAstral(run.reason));
    return [
      {
        kind: 'protection',
        repository: run.repository,
        environment: run.environment,
        workflowRun: workflowRunOf(run.lane),
        state: isAsked ? undefined : run.state === 'succeeded' ? 'approved' : 'rejected',
        comment: cutText(page === undefined ? text : `${text} (${page})`, LONGEST_COMMENT),
      },
    ];
  },

  target: ({ workflowRun, environment }) =>
    `protection:${workflowRun}:${environment.toLowerCase()}`,
  tells: ({ state }) => state ?? 'waiting',
  importance: ({ state }) => (state === undefined ? IMPORTANCE.intermediate : IMPORTANCE.final),
  isState: true,
  bare: (message) => ({ ...message, comment: message.state === undefined ? message.comment : '' }),

  // What must be allowed is said by a Deployment.
  doing: 'answer a job of Actions of',
  /** https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run */
  async act(octokit, place, { environment, comment, state, workflowRun }, { retried }) {
    try {
      await octokit.request(
        'POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule',
        {
          ...place,
          run_id: workflowRun,
          environment_name: environment,
          comment,
          ...(state === undefined ? {} : { state }),
        } as never,
      );
    } catch (error) {
      // GitHub has taken the answer before, and nothing waits for it any more.
      if (retried && error instanceof RequestError && error.status === 422) return;
      throw error;
    }
  },
});
