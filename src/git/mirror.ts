import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, TerminalError } from '../lib/errors.ts';
import { checkSha } from '../lib/names.ts';
import { repositoryDirectory } from './directory-names.ts';
import type { LocalGit } from './git-process.ts';
import { isMirror } from './mirror-directory.ts';
import type { MirrorFetch } from './mirror-fetch.ts';
import type { ServerRefs, Stoppable } from './server-refs.ts';

/** Facts that are remembered at most. The oldest go first. */
const MOST = 20_000;

/** One repository's mirror, as those who read it see it. All throw as `gitFailure` says. */
export type Mirror = ReturnType<ReturnType<typeof createOpenMirror>>;

/** Opens the mirror of a repository, which need not be there yet. */
export function createOpenMirror(deps: {
  directory: string;
  local: LocalGit;
  mirrorFetch: MirrorFetch;
  serverRefs: Pick<ServerRefs, 'defaultBranch'>;
  limits: { maxPaths: number };
}) {
  const { local, mirrorFetch, serverRefs, limits } = deps;
  /** Commits that mirrors have, and what two have in common. Nothing is ever dropped from a mirror. */
  const facts = new Map<string, string>();

  return (repository: string, options: Stoppable) => {
    const directory = join(deps.directory, repositoryDirectory(repository));

    /** `accept` are the exit codes that are answers; default only 0. */
    async function git(args: string[], accept?: number[]) {
      const doing = `reading the mirror of ${repository}`;
      return await local({ doing, args, gitDirectory: directory, accept, ...options });
    }

    const fetch = async () => await mirrorFetch.fetch(repository, options);

    /** Whether the commit is there. Throws TerminalError `commit-missing` for the name of another object. */
    async function has(sha: string): Promise<boolean> {
      checkSha(sha);
      if (!isMirror(directory)) return false;
      if (facts.has(keyOf(sha))) return true;
      const args = ['cat-file', '-t', '--end-of-options', sha];
      const { exitCode, stdout } = await git(args, [0, 1, 128]);
      if (exitCode !== 0) return false;
      if (stdout.toString().trim() !== 'commit') {
        throw new TerminalError('commit-missing', `${sha} in ${repository} is not a commit`);
      }
      remember(sha);
      return true;
    }

    /** The commit is there: nothing need be asked about it. */
    const remember = (sha: string) => keep(keyOf(sha), 'commit');

    /** A mirror that was made again is another one. */
    function keyOf(sha: string): string {
      const { dev, ino, birthtimeMs } = lstatSync(join(directory, 'objects'));
      return `${dev}:${ino}:${birthtimeMs} ${sha}`;
    }

    /**
     * Resolves when the commit is there; asks the server only when it is not. Throws TerminalError `commit-missing` when the server
     * does not have it either.
     */
    async function ensure(sha: string): Promise<void> {
      if (await has(sha)) return;
      await fetch();
      if (await has(sha)) return;
      try {
        // GitHub keeps commits for a while that no ref leads to any more.
        await mirrorFetch.fetchCommit(repository, sha, options);
        if (await has(sha)) return;
      } catch (error) {
        if (errorCode(error) !== 'commit-missing') throw error;
      }
      const message = `commit ${sha} is not in ${repository} any more: it was probably force-pushed away`;
      const hint = 'Push again, or deploy a commit that exists.';
      throw new TerminalError('commit-missing', message, { hint });
    }

    /** The best common ancestor of two commits, '' without one. Asked once for both directions. */
    async function mergeBase(one: string, two: string): Promise<string> {
      const key = [one, two].toSorted().join(' ');
      const args = ['merge-base', '--end-of-options', one, two];
      const base = facts.get(key) ?? (await git(args, [0, 1])).stdout.toString().trim();
      keep(key, base);
      return base;
    }

    /** Whether the commit is, or is in the history of, a commit or ref. False too when one of them is not there. */
    async function leadsTo(name: string, sha: string): Promise<boolean> {
      const args = ['merge-base', '--is-ancestor', '--end-of-options', sha, name];
      return (await git(args, [0, 1, 128])).exitCode === 0;
    }

    /** The refs in `below` whose history has the commit. */
    async function refsTo(sha: string, below: string[], accept = [0]): Promise<string[]> {
      const args = ['for-each-ref', '--format=%(refname)', `--contains=${sha}`, ...below];
      const { stdout } = await git(args, accept);
      return stdout.toString().split('\n').filter(Boolean);
    }

    /** The commit that a name of git's leads to. */
    async function commitOf(name: string): Promise<string | undefined> {
      const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
      const { exitCode, stdout } = await git(args, [0, 1, 128]);
      return exitCode === 0 ? stdout.toString().trim() : undefined;
    }

    return {
      repository,
      directory,
      maxPaths: limits.maxPaths,
      git,
      fetch,
      has,
      remember,
      ensure,
      mergeBase,
      leadsTo,
      refsTo,
      commitOf,
      defaultBranch: async () => await serverRefs.defaultBranch(repository, options),
    };
  };

  function keep(fact: string, answer: string): void {
    facts.set(fact, answer);
    const [oldest] = facts.keys();
    if (facts.size > MOST && oldest !== undefined) facts.delete(oldest);
  }
}
