import { TerminalError } from '../lib/errors.ts';
import { checkRef, checkSha, isObjectName } from '../lib/names.ts';
import type { RemoteGit } from './remote-git.ts';

/** What can be told to stop. */
export interface Stoppable {
  signal?: AbortSignal | undefined;
}

/** What a server's branches and tags are at now. One cheap request each, and nothing is fetched. */
export interface ServerRefs {
  /** The server's branches with their commits. */
  heads(repository: string, options?: Stoppable): Promise<Map<string, string>>;
  /** The commit that a ref (`refs/heads/main`) is at, or that a tag leads to; undefined when there is no such ref. */
  tip(repository: string, ref: string, options?: Stoppable): Promise<string | undefined>;
  /**
   * The commit that the server has for a name now: a branch, else a tag, or the full name of a commit itself; the default
   * branch without one. Throws TerminalError `ref-missing`.
   */
  revision(repository: string, name: string | undefined, options?: Stoppable): Promise<string>;
}

export function createServerRefs(remote: RemoteGit, timeoutMs: number): ServerRefs {
  return {
    async heads(repository, { signal } = {}) {
      const output = await remote({
        doing: `reading the branches of ${repository}`,
        repository,
        args: (url) => ['ls-remote', '--heads', '--quiet', '--end-of-options', url],
        timeoutMs,
        signal,
      });
      const heads = new Map<string, string>();
      for (const [, sha, branch] of output.matchAll(/^([0-9a-f]{40})\trefs\/heads\/(.+)$/gm)) {
        if (sha !== undefined && branch !== undefined) heads.set(branch, sha);
      }
      return heads;
    },

    async tip(repository, ref, { signal } = {}) {
      // A whole ref is no option, however its branch is called.
      if (!ref.startsWith('refs/')) throw notWhole(ref);
      const output = await remote({
        doing: `looking for ${ref} in ${repository}`,
        repository,
        args: (url) => [
          'ls-remote',
          '--quiet',
          '--end-of-options',
          url,
          // A tag's own object stands before the commit that it leads to ("^{}").
          ...(ref.startsWith('refs/tags/') ? [`${ref}^{}`, ref] : [ref]),
        ],
        timeoutMs,
        signal,
      });
      const found = new Map(output.split('\n').map((line) => [line.slice(41), line.slice(0, 40)]));
      return found.get(`${ref}^{}`) ?? found.get(ref);
    },

    async revision(repository, name, { signal } = {}) {
      if (isObjectName(name)) return checkSha(name);
      const short = name === undefined ? undefined : checkRef(name);
      // A tag's own object stands before the commit that it leads to ("^{}").
      const wanted =
        short === undefined
          ? ['HEAD']
          : [`refs/heads/${short}`, `refs/tags/${short}^{}`, `refs/tags/${short}`];
      const output = await remote({
        doing: `looking for ${short ?? 'the default branch'} in ${repository}`,
        repository,
        args: (url) => ['ls-remote', '--quiet', '--end-of-options', url, ...wanted],
        timeoutMs,
        signal,
      });
      const found = new Map(output.split('\n').map((line) => [line.slice(41), line.slice(0, 40)]));
      const sha = wanted.map((ref) => found.get(ref)).find((one) => one !== undefined);
      if (sha !== undefined) return checkSha(sha);
      const what = short === undefined ? 'no default branch yet' : `no branch or tag ${short}`;
      throw new TerminalError('ref-missing', `${repository} has ${what}`);
    },
  };
}

/** The error of a ref that could be taken for an option of git. */
export function notWhole(ref: string): TerminalError {
  return new TerminalError('invalid-ref', `${ref} is no whole ref`);
}
