import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { isObjectName } from '../lib/names.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure, unreadableAnswer } from './failure.ts';

/** The commits of a pull request that may be deployed. */
export interface PullRequest {
  /** The newest commit of its branch, which may be a fork's. */
  head: string;
  /** What merging it has made. */
  merged: string | undefined;
}

/** Throws RetryableError or TerminalError. https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request */
export type ReadPullRequest = (repository: string, number: number) => Promise<PullRequest>;

const sha = z.string().refine(isObjectName);
const answer = z.object({
  head: z.object({ sha }),
  merged: z.boolean(),
  merge_commit_sha: sha.nullish(),
});

export function createReadPullRequest(deps: {
  github: Pick<GitHub, 'octokit'>;
  clock: Clock;
}): ReadPullRequest {
  return async (repository, number) => {
    const [owner = '', repo = ''] = repository.split('/');
    try {
      const octokit = await deps.github.octokit(repository);
      const { status, data } = await octokit.request(
        'GET /repos/{owner}/{repo}/pulls/{pull_number}',
        {
          owner,
          repo,
          pull_number: number,
        },
      );
      const told = answer.safeParse(data);
      if (!told.success) throw unreadableAnswer(status);
      // Before it is merged, this is a commit that only tries whether it can be.
      const { head, merged, merge_commit_sha: commit } = told.data;
      return { head: head.sha, merged: merged ? (commit ?? undefined) : undefined };
    } catch (error) {
      const doing = `look up pull request ${number} of ${repository}`;
      throw asGitHubFailure(error, { doing, now: deps.clock.now() });
    }
  };
}
