import { TerminalError } from '../lib/errors.ts';
import { checkRef, checkSha, isObjectName } from '../lib/names.ts';
import type { RemoteGit } from './remote-git.ts';

/** What can be told to stop. */
export interface Stoppable {
  signal?: AbortSignal | undefined;
  /** Where a mirror is fetched for it: a fetch under way that was asked for at that time or later will do, in milliseconds. */
  since?: number | undefined;
}

export type ServerRefs = ReturnType<typeof createServerRefs>;

/** What a server's branches and tags are at now. One cheap request each, and nothing is fetched. */
export function createServerRefs(remote: RemoteGit, timeoutMs: number) {
  async function list(
    repository: string,
    what: string,
    [flag = '', ...patterns]: string[],
    { signal }: Stoppable,
  ): Promise<string> {
    const doing = `looking for ${what} in ${repository}`;
    const args = (url: string) => {
      return ['ls-remote', '--quiet', flag, '--end-of-options', url, ...patterns];
    };
    return await remote({ doing, repository, args, timeoutMs, signal });
  }

  return {
    /** The server's branches with their commits. */
    async heads(repository: string, options: Stoppable = {}): Promise<Map<string, string>> {
      const refs = refsIn(await list(repository, 'the branches', ['--heads'], options));
      return new Map([...refs].map(([ref, sha]) => [ref.replace('refs/heads/', ''), sha]));
    },

    /** The default branch (`refs/heads/main`); undefined when the server names none. */
    async defaultBranch(repository: string, options: Stoppable = {}): Promise<string | undefined> {
      const output = await list(repository, 'the default branch', ['--symref', 'HEAD'], options);
      return /^ref: (refs\/heads\/.+)\tHEAD$/m.exec(output)?.[1];
    },

    /**
     * The commit that the server has for a name now: a branch, else a tag, or the full name of a commit itself; the default
     * branch without one. Throws TerminalError `ref-missing`.
     */
    async revision(
      repository: string,
      name: string | undefined,
      options: Stoppable = {},
    ): Promise<string> {
      if (isObjectName(name)) return checkSha(name);
      const short = name === undefined ? undefined : checkRef(name);
      // Of a tag "^{}" is the commit, before the tag's own object.
      const named = [`refs/heads/${short}`, `refs/tags/${short}^{}`, `refs/tags/${short}`];
      const patterns = short === undefined ? ['HEAD'] : named;
      const what = short ?? 'the default branch';
      const refs = refsIn(await list(repository, what, ['--symref', ...patterns], options));
      const sha = patterns.map((ref) => refs.get(ref)).find((at) => at !== undefined);
      if (sha !== undefined) return checkSha(sha);
      const missing = short === undefined ? 'no default branch yet' : `no branch or tag ${short}`;
      throw new TerminalError('ref-missing', `${repository} has ${missing}`);
    },
  };
}

function refsIn(output: string): Map<string, string> {
  const lines = output.matchAll(/^([0-9a-f]{40})\t(.+)$/gm);
  return new Map([...lines].map(([, sha = '', ref = '']) => [ref, sha]));
}
