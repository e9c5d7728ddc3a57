import { RequestError } from '@octokit/request-error';
import type { Clock } from '../lib/clock.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure, unreadableAnswer } from './failure.ts';

/** What people ask of Mainsheet from GitHub. Looking needs no more than reading; all else changes what is deployed. */
export type Action = 'look' | 'retry' | 'rollback' | 'cancel' | 'deploy' | 'approve' | 'reject';

/** GitHub's words, the least first; `maintain` and `triage` are told as `write` and `read`. */
type Permission = 'none' | 'read' | 'write' | 'admin';

/** Whether a person may, and what GitHub says of them. */
export interface Permit {
  allowed: boolean;
  permission: Permission;
  needed: Permission;
}

/**
 * Whether the person `login` may do `action` in `owner/name` (G12). GitHub is asked, never a payload; what it says counts for a minute.
 * Throws RetryableError or TerminalError when it cannot be asked.
 * https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
 */
export type MayDo = (repository: string, login: string, action: Action) => Promise<Permit>;

/** Users, organisations' managed users, and Apps. */
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?$/;
const FRESH_MS = 60_000;
/** People in repositories that are remembered; of more the oldest answer is forgotten. */
const MOST_REMEMBERED = 1000;
const LEVELS: readonly Permission[] = ['none', 'read', 'write', 'admin'];

export function createMayDo(deps: { github: Pick<GitHub, 'octokit'>; clock: Clock }): MayDo {
  const { github, clock } = deps;
  const remembered = new Map<string, { at: number; permission: Permission }>();

  async function permissionOf(repository: string, login: string): Promise<Permission> {
    if (!LOGIN.test(login)) return 'none';
    const key = `${repository} ${login}`.toLowerCase();
    const known = remembered.get(key);
    if (known !== undefined && clock.elapsed() - known.at < FRESH_MS) return known.permission;
    const at = clock.elapsed();
    const permission = await ask(github, repository, login, clock.now());
    remembered.delete(key);
    remembered.set(key, { at, permission });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MOST_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return permission;
  }

  return async (repository, login, action) => {
    const needed = action === 'look' ? 'read' : 'write';
    const permission = await permissionOf(repository, login);
    return { allowed: LEVELS.indexOf(permission) >= LEVELS.indexOf(needed), permission, needed };
  };
}

async function ask(
  github: Pick<GitHub, 'octokit'>,
  repository: string,
  username: string,
  now: number,
): Promise<Permission> {
  const [owner = '', repo = ''] = repository.split('/');
  try {
    const octokit = await github.octokit(repository);
    const { status, data } = await octokit.request(
      'GET /repos/{owner}/{repo}/collaborators/{username}/permission',
      { owner, repo, username },
    );
    const told: unknown = data?.permission;
    const found = LEVELS.find((level) => level === told);
    if (found === undefined) throw unreadableAnswer(status);
    return found;
  } catch (error) {
    // No such person, or none that has to do with the repository.
    if (error instanceof RequestError && error.status === 404) return 'none';
    throw asGitHubFailure(error, { doing: `ask what ${username} may do in ${repository}`, now });
  }
}
