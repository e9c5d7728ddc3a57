import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { describeError, MainsheetError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Standing } from '../model/event.ts';
import { readChangedPaths, type MirrorGit } from './changed-paths.ts';
import { readCommit, type CommitFacts } from './commit-facts.ts';
import { repositoryDirectory } from './directory-names.ts';
import { discard } from './discard.ts';
import { commitOf, findRevision, type Revision } from './find-revision.ts';
import { createLocalGit } from './local-git.ts';
import { createKnownFacts } from './known-facts.ts';
import { isMirror, keepMirrorConfig, sweepMirrors } from './mirror-directory.ts';
import { createMirrorFetch } from './mirror-fetch.ts';
import { MIRROR_LIMITS, type MirrorLimits } from './mirror-limits.ts';
import { readRefs } from './mirror-refs.ts';
import { checkRef, checkRepository, checkSha } from '../lib/names.ts';
import {
  createRemoteGit,
  type GitCredential,
  type GitWayOut,
  type RemoteNames,
} from './remote-git.ts';
import { createServerRefs, notWhole, type ServerRefs, type Stoppable } from './server-refs.ts';
import { createSharedFetches } from './shared-fetches.ts';

export type { GitCredential } from './remote-git.ts';

/**
 * One bare mirror for each repository, named `owner/name`. Every method throws TerminalError `invalid-repository`,
 * `invalid-sha` or `invalid-ref` before git is started, and RetryableError or TerminalError as `gitFailure` says.
 */
export interface Mirrors extends ServerRefs {
  /**
   * Brings all branches and tags, deletions and forced updates too, as they are on the server after this call. Makes the
   * mirror when there is none. Those who ask before a fetch has started share it.
   */
  fetch(repository: string, options?: Stoppable): Promise<void>;
  /**
   * Resolves when the mirror has the commit; asks the server only when it does not. `ref` is where the commit is said to
   * be, for the message. `renew` makes the mirror anew first, for a caller that found it damaged. Throws TerminalError
   * `commit-missing` when the server does not have it either.
   */
  ensureCommit(
    repository: string,
    sha: string,
    options?: Stoppable & { ref?: string | undefined; renew?: boolean },
  ): Promise<void>;
  /** Fetches, and returns the commit of a tag (`v1` or `refs/tags/v1`), annotated or not. Throws TerminalError `tag-missing`. */
  resolveTag(repository: string, tag: string, options?: Stoppable): Promise<string>;
  /**
   * The names of all files that differ between two commits; a moved file with both names. `before` undefined: the branch
   * is new, and is compared with where it left the default branch; every file when there is no such place. So too when
   * `before` was forced away. `ref` (`refs/heads/main`) tells a new default branch from a branch without commits of its
   * own. Throws TerminalError `commit-missing` for `after`, `too-many-changes` above `maxPaths`.
   */
  changedPaths(
    repository: string,
    before: string | undefined,
    after: string,
    options?: Stoppable & { ref?: string | undefined },
  ): Promise<string[]>;
  /** Whether `descendant` is `ancestor` or has it in its history; false when `ancestor` is gone from the repository. */
  isAncestor(
    repository: string,
    ancestor: string,
    descendant: string,
    options?: Stoppable,
  ): Promise<boolean>;
  /**
   * Fetches, and tells where a ref (`refs/heads/main`) is on the server, and whether it leads to the commit. The commit that it
   * is at is in the mirror then. Throws TerminalError `commit-missing` when the server shows a ref, but not yet what it is at.
   */
  standing(repository: string, ref: string, sha: string, options?: Stoppable): Promise<Standing>;
  /**
   * Fetches, and tells what `name` is to the commit: the branch that has it in its history, else a tag that leads to it, or
   * neither. Without a name any branch will do.
   */
  kindOfHead(
    repository: string,
    name: string | undefined,
    sha: string,
    options?: Stoppable,
  ): Promise<'branch' | 'tag' | 'neither'>;
  /** Fetches, and finds what a person calls a revision: see `findRevision`. Undefined is where the default branch is. */
  findRevision(
    repository: string,
    name: string | undefined,
    options?: Stoppable & { prefer?: string | undefined },
  ): Promise<Revision>;
  /** What git says of a commit. Throws TerminalError `commit-missing`. */
  commit(repository: string, sha: string, options?: Stoppable): Promise<CommitFacts>;
  /** Where the mirror is, or will be: an absolute path. */
  directoryOf(repository: string): string;
  /** Removes the mirrors of all other repositories, but for those that are being fetched. */
  retain(repositories: ReadonlySet<string>): Promise<void>;
  /** Removes what a crash left half made, half removed or locked. To be called at start, before anything else. */
  sweep(): Promise<void>;
}

/**
 * The mirrors in `directory`, fetched from `serverUrl` (`https://github.com`). `environment` is the process's, for PATH. Throws
 * TerminalError `invalid-server-url` for anything but a plain http(s) URL.
 */
export function createMirrors(deps: {
  directory: string;
  serverUrl: string;
  credentials: (repository: string) => Promise<GitCredential | undefined>;
  /** Told that the server refused a credential: the next one has to be new, if it can be. */
  refused?: (repository: string) => void;
  logger: Logger;
  clock: Clock;
  environment?: Readonly<Record<string, string | undefined>>;
  wayOut?: GitWayOut;
  names?: RemoteNames;
  limits?: Partial<MirrorLimits>;
}): Mirrors {
  const { logger, clock, credentials, serverUrl, environment } = deps;
  const limits = { ...MIRROR_LIMITS, ...deps.limits };
  const directory = resolve(deps.directory);
  const local = createLocalGit({
    environment,
    timeoutMs: limits.queryTimeoutMs,
    maxBytes: limits.maxBytes,
    killAfterMs: limits.killAfterMs,
  });
  const remote = createRemoteGit({
    ...limits,
    serverUrl,
    credentials,
    refused: deps.refused,
    environment,
    wayOut: deps.wayOut,
    names: deps.names,
  });
  const mirrorFetch = createMirrorFetch({ directory, local, remote, logger, clock, limits });
  const fetches = createSharedFetches(mirrorFetch.fetch);
  const renewals = createSharedFetches(mirrorFetch.renew);
  const known = createKnownFacts();

  const directoryOf = (repository: string) => join(directory, repositoryDirectory(repository));

  function gitIn(repository: string, signal: AbortSignal | undefined): MirrorGit {
    return async (args, accept) => {
      const gitDirectory = directoryOf(repository);
      await keepMirrorConfig(gitDirectory);
      return await local({
        doing: `reading the mirror of ${repository}`,
        args,
        gitDirectory,
        signal,
        accept: accept ?? [0],
      });
    };
  }

  async function fetch(repository: string, { signal }: Stoppable = {}): Promise<void> {
    await fetches.ask(checkRepository(repository), signal);
  }

  const busy = (repository: string) => fetches.isBusy(repository) || renewals.isBusy(repository);

  /** Does `read`; and should the mirror turn out to be damaged, once more with a new one. */
  async function healed<Result>(
    repository: string,
    { signal }: Stoppable,
    read: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof MainsheetError && error.code === 'git-damaged')) throw error;
      logger.warn({ repository, error: describeError(error) }, 'mirror is damaged, made anew');
      await renewals.ask(repository, signal);
      return await read();
    }
  }

  async function hasCommit(repository: string, sha: string, { signal }: Stoppable) {
    checkSha(sha);
    const mirror = directoryOf(repository);
    if (!(await isMirror(mirror))) return false;
    return await known.has(mirror, sha, () => isCommit(repository, sha, signal));
  }

  async function isCommit(repository: string, sha: string, signal: AbortSignal | undefined) {
    const git = gitIn(repository, signal);
    const { exitCode, stdout } = await git(
      ['cat-file', '-t', '--end-of-options', sha],
      [0, 1, 128],
    );
    if (exitCode !== 0 || stdout.toString().trim() === 'commit') return exitCode === 0;
    throw new TerminalError('commit-missing', `${sha} in ${repository} is not a commit`);
  }

  const ensureCommit: Mirrors['ensureCommit'] = async (repository, sha, options = {}) => {
    const ref = options.ref === undefined ? '' : ` of ${checkRef(options.ref)}`;
    if (options.renew) await renewals.ask(repository, options.signal);
    if (await hasCommit(repository, sha, options)) return;
    await fetch(repository, options);
    if (await hasCommit(repository, sha, options)) return;
    try {
      // GitHub keeps commits for a while that no ref leads to any more.
      await mirrorFetch.fetchCommit(repository, sha, options.signal);
      if (await hasCommit(repository, sha, options)) return;
    } catch (error) {
      if (!(error instanceof TerminalError && error.code === 'commit-missing')) throw error;
    }
    throw new TerminalError(
      'commit-missing',
      `commit ${sha}${ref} is not in ${repository} any more: it was probably force-pushed away`,
      { hint: 'Push again, or deploy a commit that exists.' },
    );
  };

  const serverRefs = createServerRefs(remote, limits.queryTimeoutMs);

  return {
    ...serverRefs,
    fetch,
    directoryOf,

    async ensureCommit(repository, sha, options = {}) {
      await healed(repository, options, () => ensureCommit(repository, sha, options));
    },

    async resolveTag(repository, tag, options = {}) {
      return await healed(repository, options, async () => {
        const name = checkRef(tag).replace(/^refs\/tags\//, '');
        const ref = `refs/tags/${name}`;
        await fetch(repository, options);
        const sha = await commitOf(gitIn(repository, options.signal), ref);
        if (sha !== undefined) return checkSha(sha);
        throw new TerminalError('tag-missing', `${repository} has no tag ${name} with a commit`, {
          hint: 'The tag was probably deleted or renamed after the event.',
        });
      });
    },

    async changedPaths(repository, before, after, options = {}) {
      return await healed(repository, options, async () => {
        const ref = options.ref === undefined ? undefined : checkRef(options.ref);
        // What is compared with branches is compared with them as they are, and not as the mirror knew them.
        if (before === undefined) await fetch(repository, options);
        await ensureCommit(repository, after, options);
        const lost = before !== undefined && !(await isThere(repository, before, options));
        return await readChangedPaths(gitIn(repository, options.signal), {
          before: lost ? undefined : before,
          after,
          lost,
          ref,
          limit: limits.maxPaths,
        });
      });
    },

    async isAncestor(repository, ancestor, descendant, options = {}) {
      return await healed(repository, options, async () => {
        checkSha(ancestor);
        await ensureCommit(repository, descendant, options);
        const git = gitIn(repository, options.signal);
        if (!(await hasCommit(repository, ancestor, options))) {
          // What is not there is not in the history of `descendant`, when that is there as a whole.
          await git(['rev-list', '--quiet', '--end-of-options', descendant]);
          return false;
        }
        const base = await known.base(ancestor, descendant, async () => {
          const args = ['merge-base', '--end-of-options', ancestor, descendant];
          return (await git(args, [0, 1])).stdout.toString().trim();
        });
        return base === ancestor;
      });
    },

    async standing(repository, ref, sha, options = {}) {
      checkSha(sha);
      // A whole ref is no option, however its branch is called.
      if (!ref.startsWith('refs/')) throw notWhole(ref);
      return await healed(repository, options, async () => {
        await fetch(repository, options);
        const git = gitIn(repository, options.signal);
        if (ref.startsWith('refs/tags/')) {
          const head = await commitOf(git, ref);
          return { head, reached: head === sha };
        }
        const mirror = directoryOf(repository);
        const head = (await readRefs(mirror)).get(ref);
        if (head === undefined) return { head, reached: false };
        // Git does not fetch a ref without what it leads to.
        await known.note(mirror, head);
        if (head === sha) return { head, reached: true };
        const args = ['merge-base', '--is-ancestor', '--end-of-options', sha, head];
        // 128: it is not in the mirror, which has all that the head leads to.
        return { head, reached: (await git(args, [0, 1, 128])).exitCode === 0 };
      });
    },

    async kindOfHead(repository, name, sha, options = {}) {
      return await healed(repository, options, async () => {
        if (name !== undefined) checkRef(name);
        checkSha(sha);
        await fetch(repository, options);
        const git = gitIn(repository, options.signal);
        if (name === undefined) {
          const one = ['for-each-ref', '--count=1', `--contains=${sha}`, 'refs/heads/'];
          // 129: the commit is not known at all.
          const { stdout } = await git(one, [0, 1, 128, 129]);
          return stdout.length > 0 ? 'branch' : 'neither';
        }
        // 128: no such branch, or the commit is not known at all.
        const inBranch = await git(
          ['merge-base', '--is-ancestor', '--end-of-options', sha, `refs/heads/${name}`],
          [0, 1, 128],
        );
        if (inBranch.exitCode === 0) return 'branch';
        return (await commitOf(git, `refs/tags/${name}`)) === sha ? 'tag' : 'neither';
      });
    },

    async findRevision(repository, name, options = {}) {
      return await healed(repository, options, async () => {
        await fetch(repository, options);
        return await findRevision(
          gitIn(repository, options.signal),
          repository,
          name,
          options.prefer,
        );
      });
    },

    async commit(repository, sha, options = {}) {
      return await healed(repository, options, async () => {
        await ensureCommit(repository, sha, options);
        return await readCommit(gitIn(repository, options.signal), sha);
      });
    },

    async retain(repositories) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const wanted = new Set(
        [...repositories].map((repository) => repositoryDirectory(repository)),
      );
      for (const name of await readdir(directory)) {
        const repository = name.replace('+', '/');
        if (name.startsWith('.') || wanted.has(name) || busy(repository)) continue;
        logger.info({ repository }, 'mirror removed');
        await discard(join(directory, name), directory);
      }
    },

    async sweep() {
      for (const error of await sweepMirrors(directory)) {
        logger.warn({ error: describeError(error) }, 'leftover mirror could not be removed');
      }
    },
  };

  async function isThere(repository: string, sha: string, options: Stoppable): Promise<boolean> {
    try {
      await ensureCommit(repository, sha, options);
      return true;
    } catch (error) {
      if (!(error instanceof MainsheetError && error.code === 'commit-missing')) throw error;
      logger.info({ repository, sha, reason: describeError(error) }, 'former commit is gone');
      return false;
    }
  }
}
