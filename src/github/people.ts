import type { Clock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure } from './failure.ts';

/** What GitHub knows of people. Everything throws RetryableError or TerminalError as `asGitHubFailure` does. */
export interface People {
  /**
   * Whether a user is a member of a team, of its child teams too. `repository` says as whom GitHub is asked; an App needs
   * "Members: read" on the organization. https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user
   */
  isMember(
    repository: string,
    team: { org: string; slug: string },
    login: string,
  ): Promise<boolean>;
  /** GitHub's number of the user that has a name now. https://docs.github.com/en/rest/users/users#get-a-user */
  idOf(repository: string, login: string): Promise<number | undefined>;
  /** The users that wrote and committed a commit. https://docs.github.com/en/rest/commits/commits#get-a-commit */
  committers(repository: string, sha: string): Promise<string[]>;
}

export function createPeople(deps: { github: Pick<GitHub, 'octokit'>; clock: Clock }): People {
  const { github, clock } = deps;

  /** Undefined when GitHub knows no such thing. */
  async function ask<Answer>(
    doing: string,
    act: () => Promise<Answer>,
  ): Promise<Answer | undefined> {
    try {
      return await act();
    } catch (error) {
      const failure = asGitHubFailure(error, { doing, now: clock.now() });
      if (failure instanceof MainsheetError && failure.code === 'github-not-found')
        return undefined;
      throw failure;
    }
  }

  return {
    async isMember(repository, { org, slug }, login) {
      const answer = await ask(`look up a member of ${org}/${slug}`, async () => {
        const octokit = await github.octokit(repository);
        return await octokit.request('GET /orgs/{org}/teams/{team_slug}/memberships/{username}', {
          org,
          team_slug: slug,
          username: login,
        });
      });
      return answer?.data.state === 'active';
    },

    async idOf(repository, login) {
      const answer = await ask('look up a user', async () => {
        const octokit = await github.octokit(repository);
        return await octokit.request('GET /users/{username}', { username: login });
      });
      const id: unknown = answer?.data.id;
      return typeof id === 'number' ? id : undefined;
    },

    async committers(repository, sha) {
      const answer = await ask(`look up who made a commit of ${repository}`, async () => {
        const octokit = await github.octokit(repository);
        const [owner = '', repo = ''] = repository.split('/');
        const place = { owner, repo, ref: sha, per_page: 1 };
        return await octokit.request('GET /repos/{owner}/{repo}/commits/{ref}', place);
      });
      const { author, committer } = answer?.data ?? {};
      return [author, committer].flatMap((one) =>
        typeof one?.login === 'string' ? one.login : [],
      );
    },
  };
}
