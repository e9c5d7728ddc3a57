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
  async function list(repository: string, args: string[], { signal }: Stoppable) {
    const [flag = '', ...patterns] = args;
    const what =
      patterns[0] === 'HEAD' ? 'the default branch' : (patterns.at(-1) ?? 'the branches');
    return await remote({
      doing: `looking for ${what} in ${repository}`,
      repository,
      args: (url) => ['ls-remote', '--quiet', flag, '--end-of-options', url, ...patterns],
      timeoutMs,
      signal,
    });
  }

  async function first(repository: string, patterns: string[], options: Stoppable) {
    const refs = refsIn(await list(repository, ['--symref', ...patterns], options));
    return patterns.map((ref) => refs.get(ref)).find((sha) => sha !== undefined);
  }

  return {
    /** The server's branches with their commits. */
    async heads(repository: string, options: Stoppable = {}): Promise<Map<string, string>> {
      const refs = refsIn(await list(repository, ['--heads'], options));
      return new Map([...refs].map(([ref, sha]) => [ref.replace('refs/heads/', ''), sha]));
    },

    /** The default branch (`refs/heads/main`); undefined when the server names none. */
    async defaultBranch(repository: string, options: Stoppable = {}): Promise<string | undefined> {
      const output = await list(repository, ['--symref', 'HEAD'], options);
      return /^ref: (refs\/heads\/.+)\tHEAD$/m.exec(output)?.[1];
    },

    /** The commit that a ref (`refs/heads/main`) is at, or that a tag leads to; undefined when there is no such ref. */
    async tip(
      repository: string,
      ref: string,
      options: Stoppable = {},
    ): Promise<string | undefined> {
      return await first(repository, peeled(checkWhole(ref)), options);
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
      const named = [`refs/heads/${short}`, ...peeled(`refs/tags/${short}`)];
      const patterns = short === undefined ? ['HEAD'] : named;
      const sha = await first(repository, patterns, options);
      if (sha !== undefined) return checkSha(sha);
      const missing = short === undefined ? 'no default branch yet' : `no branch or tag ${short}`;
      throw new TerminalError('ref-missing', `${repository} has ${missing}`);
    },
  };
}

/** Returns a ref that cannot be taken for an option of git, however its branch is called. Throws TerminalError `invalid-ref`. */
export function checkWhole(ref: string): string {
  if (ref.startsWith('refs/')) return ref;
  throw new TerminalError('invalid-ref', `${ref} is no whole ref`);
}

/** What a ref leads to: of a tag the commit ("^{}"), before the tag's own object. */
function peeled(ref: string): string[] {
  return ref.startsWith('refs/tags/') ? [`${ref}^{}`, ref] : [ref];
}

function refsIn(output: string): Map<string, string> {
  const lines = output.matchAll(/^([0-9a-f]{40})\t(.+)$/gm);
  return new Map([...lines].map(([, sha = '', ref = '']) => [ref, sha]));
}
