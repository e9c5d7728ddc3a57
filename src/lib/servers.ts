import { createHash } from 'node:crypto';
import { elsewhere } from './names.ts';

/** What a git server that is not GitHub can be. Forgejo is `gitea`. */
export const SERVER_TYPES = ['gitlab', 'bitbucket', 'gitea'] as const;
export type ServerType = (typeof SERVER_TYPES)[number];

/** A git server that is not GitHub, as the operator has set it: nothing that a sender says changes where it is. */
export interface GitServer {
  /** As repositories on it are named: `name:path`. */
  name: string;
  type: ServerType;
  /** Without a slash at the end. */
  url: string;
  /** Undefined: only what is public is read, and nothing is reported. */
  token: string | undefined;
}

/** The servers that are set, by their names. */
export type GitServers = ReadonlyMap<string, GitServer>;

/** The server of a repository, and its path there; undefined for one of GitHub, and where no such server is set. */
export function placeOf(
  repository: string,
  servers: GitServers,
): { server: GitServer; path: string } | undefined {
  const { server = '', path = '' } = elsewhere(repository) ?? {};
  const found = servers.get(server);
  return found && { server: found, path };
}

/** Where the server's API is, without a slash at the end. */
export function apiUrlOf({ type, url }: GitServer): string {
  if (type === 'gitlab') return `${url}/api/v4`;
  if (type === 'gitea') return `${url}/api/v1`;
  return url === 'https://bitbucket.org' ? 'https://api.bitbucket.org/2.0' : `${url}/2.0`;
}

/**
 * What git tells the server beside the token. https://docs.gitlab.com/topics/git/clone/#clone-using-a-token,
 * https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/; Gitea takes a token under any name.
 */
export function gitUserOf({ type }: GitServer): string {
  return type === 'bitbucket' ? 'x-token-auth' : 'oauth2';
}

/** The page of a commit. */
export function commitUrl({ server, path }: { server: GitServer; path: string }, sha: string) {
  const kind = { gitlab: '-/commit', bitbucket: 'commits', gitea: 'commit' }[server.type];
  return `${server.url}/${path}/${kind}/${encodeURIComponent(sha)}`;
}

/** The page with what changed between two commits. */
export function compareUrl(
  { server, path }: { server: GitServer; path: string },
  before: string,
  after: string,
): string {
  const [from, to] = [encodeURIComponent(before), encodeURIComponent(after)];
  const page = {
    gitlab: `-/compare/${from}...${to}`,
    bitbucket: `branches/compare/${to}..${from}`,
    gitea: `compare/${from}...${to}`,
  }[server.type];
  return `${server.url}/${path}/${page}`;
}

/** A name of at most `most` characters that is another one for each `text`. */
export function shortName(text: string, most: number): string {
  if (text.length <= most) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return `${text.slice(0, most - 13)}-${digest}`;
}
