import { RequestError } from '@octokit/request-error';
import type { Clock } from '../lib/clock.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure, unreadableAnswer } from './failure.ts';

/** GitHub's words, the least first; `maintain` and `triage` are told as `write` and `read`. */
export const LEVELS = ['none', 'read', 'write', 'admin'] as const;

export type Permission = (typeof LEVELS)[number];

/** A user of GitHub. A name can be another's tomorrow, so where the number is known an answer has to be about that one. */
export interface GitHubUser {
  login: string;
  id?: number | undefined;
}

/** One whose number is known. */
export interface KnownUser extends GitHubUser {
  id: number;
}

/**
 * What people may do in `owner/name`, as GitHub says, each answer remembered for as long as the caller lets it count.
 * https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
 */
export interface Permissions {
  /** What is remembered, and how old it is in milliseconds. */
  known(
    repository: string,
    user: GitHubUser,
  ): { permission: Permission; ageMs: number } | undefined;
  /**
   * Asks GitHub where what is remembered is `maxAgeMs` old, or older. Throws RetryableError or TerminalError when it cannot be
   * asked.
   */
  of(repository: string, user: GitHubUser, maxAgeMs: number): Promise<Permission>;
  /** What is remembered of a repository, or of all, counts no more. */
  drop(repository: string | undefined): void;
}

interface Answer {
  permission: Permission;
  /** GitHub's number of the user. */
  id: number | undefined;
  /** With it an answer that did not change costs nothing: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate */
  etag: string | undefined;
}

/** Users, organisations' managed users, and Apps. */
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?$/;
/** People in repositories that are remembered; of more the oldest answer is forgotten. */
const MOST_REMEMBERED = 20_000;
const NEVER = -Infinity;

export function createPermissions(deps: {
  github: Pick<GitHub, 'octokit'>;
  clock: Clock;
}): Permissions {
  const { github, clock } = deps;
  const remembered = new Map<string, { at: number; answer: Answer }>();
  const asking = new Map<string, Promise<Answer>>();
  let drops = 0;

  async function learn(key: string, repository: string, login: string): Promise<Answer> {
    const [at, before] = [clock.elapsed(), drops];
    const answer = await ask(
      github,
      { repository, login, now: clock.now() },
      remembered.get(key)?.answer,
    );
    remembered.delete(key);
    // What was asked before something changed may be what was so before.
    remembered.set(key, { at: drops === before ? at : NEVER, answer });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MOST_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return answer;
  }

  return {
    known(repository, user) {
      const found = remembered.get(keyOf(repository, user));
      if (found === undefined || found.at === NEVER) return undefined;
      return { permission: heldBy(user, found.answer), ageMs: clock.elapsed() - found.at };
    },

    async of(repository, user, maxAgeMs) {
      if (!LOGIN.test(user.login)) return 'none';
      const key = keyOf(repository, user);
      const found = remembered.get(key);
      if (found !== undefined && clock.elapsed() - found.at < maxAgeMs) {
        return heldBy(user, found.answer);
      }
      let answer = asking.get(key);
      if (answer === undefined) {
        answer = learn(key, repository, user.login);
        asking.set(key, answer);
        const asked = answer;
        const forget = () => {
          if (asking.get(key) === asked) asking.delete(key);
        };
        asked.then(forget, forget);
      }
      return heldBy(user, await answer);
    },

    drop(repository) {
      drops += 1;
      asking.clear();
      const prefix = repository === undefined ? '' : `${repository.toLowerCase()} `;
      for (const [key, one] of remembered) if (key.startsWith(prefix)) one.at = NEVER;
    },
  };
}

const keyOf = (repository: string, { login }: GitHubUser) => `${repository} ${login}`.toLowerCase();

function heldBy(user: GitHubUser, { permission, id }: Answer): Permission {
  return user.id === undefined || user.id === id ? permission : 'none';
}

async function ask(
  github: Pick<GitHub, 'octokit'>,
  { repository, login, now }: { repository: string; login: string; now: number },
  before: Answer | undefined,
): Promise<Answer> {
  const [owner = '', repo = ''] = repository.split('/');
  try {
    const octokit = await github.octokit(repository);
    const { status, data, headers } = await octokit.request(
      'GET /repos/{owner}/{repo}/collaborators/{username}/permission',
      {
        owner,
        repo,
        username: login,
        headers: before?.etag === undefined ? {} : { 'if-none-match': before.etag },
      },
    );
    const told: unknown = data?.permission;
    const permission = LEVELS.find((level) => level === told);
    if (permission === undefined) throw unreadableAnswer(status);
    const id: unknown = data.user?.id;
    return { permission, id: typeof id === 'number' ? id : undefined, etag: headers.etag };
  } catch (error) {
    if (error instanceof RequestError && error.status === 304 && before !== undefined)
      return before;
    // No such person, or none that has to do with the repository.
    if (error instanceof RequestError && error.status === 404) {
      return { permission: 'none', id: undefined, etag: undefined };
    }
    throw asGitHubFailure(error, { doing: `ask what ${login} may do in ${repository}`, now });
  }
}
