import { textAt, type JsonObject } from '../json.ts';
import { unprocessable, type OperationHandler } from './operations.ts';

export interface Reviews {
  handlers: Record<string, OperationHandler>;
  /** What a repository's workflow runs were answered, oldest first: `{run_id, environment_name, state, comment}`. */
  received: (repository: string) => JsonObject[];
}

/**
 * What custom protection rules answer to jobs of Actions. One answer decides; reports without a `state` may come before it, at most ten.
 * https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run
 */
export function createReviews(): Reviews {
  const written: { repository: string; review: JsonObject }[] = [];
  return {
    received: (repository) =>
      written.filter((each) => each.repository === repository).map(({ review }) => review),
    handlers: {
      'actions/review-custom-gates-for-run'({ repository, params, body }) {
        const runId = params['run_id'] ?? '';
        const environment = textAt(body, 'environment_name');
        const earlier = written
          .map(({ review }) => review)
          .filter(
            (review) =>
              review['run_id'] === runId && textAt(review, 'environment_name') === environment,
          );
        if (earlier.some((review) => review['state'] !== undefined)) {
          return unprocessable('No pending deployment requests to approve or reject');
        }
        if (earlier.length >= 10) return unprocessable('There are 10 reports already');
        written.push({ repository, review: { run_id: runId, ...body } });
        return { status: 204 };
      },
    },
  };
}
