import { elsewhere } from '../../lib/names.ts';
import { commitUrl, compareUrl, placeOf, type GitServers } from '../../lib/servers.ts';

/** Where revisions are shown. */
export interface WebServers {
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
  /** Git servers beside it; default none. */
  servers?: GitServers;
}

/** Where a repository is on GitHub. */
export function githubHome(githubUrl: string, repository: string): string {
  return `${githubUrl}/${repository.split('/').map(encodeURIComponent).join('/')}`;
}

/** The pages that show a commit, and what changed between two; undefined for a server that is not set any more. */
export function webPagesOf(
  repository: string,
  { githubUrl, servers = new Map() }: WebServers,
): { commit(sha: string): string; compare(before: string, after: string): string } | undefined {
  if (elsewhere(repository) === undefined) {
    const home = githubHome(githubUrl, repository);
    return {
      commit: (sha) => `${home}/commit/${encodeURIComponent(sha)}`,
      compare: (before, after) =>
        `${home}/compare/${encodeURIComponent(before)}...${encodeURIComponent(after)}`,
    };
  }
  const place = placeOf(repository, servers);
  if (place === undefined) return undefined;
  return {
    commit: (sha) => commitUrl(place, sha),
    compare: (before, after) => compareUrl(place, before, after),
  };
}
