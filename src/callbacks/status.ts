import { IMPORTANCE } from '../model/importance.ts';
import type { RunState } from '../model/run.ts';
import { descriptionOf, isOwnFault, linkTo, truthOf } from './describe.ts';
import { context, description, given, link, madeId } from './fields.ts';
import { githubKind } from './kind.ts';

/** A commit status: https://docs.github.com/en/rest/commits/statuses */
export interface StatusCallback {
  kind: 'status';
  repository: string;
  sha: string;
  context: string;
  state: 'pending' | 'success' | 'failure' | 'error';
  /** At most 140 characters. */
  description: string;
  targetUrl: string | undefined;
}

/** What a run in this state looks like as a commit status; a failure of Mainsheet's own is `error` instead. */
const STATES: Record<RunState, StatusCallback['state']> = {
  queued: 'pending',
  blocked: 'pending',
  running: 'pending',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'error',
  superseded: 'error',
};

/**
 * The commit status `mainsheet/<spec>`, which follows every state. GitHub has four: `pending` while the run may still deploy,
 * `success` only when it did, `failure` when a step failed. All other ends are `error`: Mainsheet's own fault, but also
 * `cancelled` and `superseded`, since such a commit was not deployed (so not `success`), did nothing wrong (so not `failure`)
 * and never will be by this run (so not `pending`, which would look stuck for ever). The description says which it was.
 * Where such a run did nothing to a commit that was deployed before, that is what stays true: `success`; and what another run says
 * that may still deploy it.
 */
export const status = githubKind<StatusCallback>({
  kind: 'status',
  title: 'Commit status',
  chosenAs: 'status',
  at: 'github',

  due(change) {
    const { run, isDeployed } = truthOf(change);
    return [
      {
        kind: 'status',
        repository: run.repository,
        sha: run.sha,
        context: `mainsheet/${run.spec}`,
        state: isOwnFault(run) ? 'error' : isDeployed ? 'success' : STATES[run.state],
        description: descriptionOf(run, isDeployed),
        targetUrl: linkTo(run.id, change.publicUrl),
      },
    ];
  },

  target: ({ repository, sha, context: name }) =>
    `status:${repository.toLowerCase()}:${sha}:${name}`,
  tells: ({ state }) => state,
  importance: ({ state }) => (state === 'pending' ? IMPORTANCE.intermediate : IMPORTANCE.final),
  isState: true,
  bare: (message) => ({ ...message, description: '', targetUrl: undefined }),

  doing: 'set the status of',
  /** https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
  async act(octokit, place, message) {
    const answer = await octokit.request('POST /repos/{owner}/{repo}/statuses/{sha}', {
      ...place,
      sha: message.sha,
      state: message.state,
      context: context(message.context),
      ...given({
        description: description(message.description),
        target_url: link(message.targetUrl),
      }),
    });
    madeId(answer.status, answer.data);
  },

  permissions: [{ name: 'statuses', least: 'write', why: 'to set commit statuses' }],
});
