import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { discard } from '../lib/discard.ts';
import { describeError, errorCode, hintOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { changedPaths, mergePreview } from './changed-paths.ts';
import { repositoryDirectory } from './directory-names.ts';
import { findRevision } from './find-revision.ts';
import { isAncestor, kindOfHead, readCommit, resolveTag, standing, standings } from './history.ts';
import { createLocalGit, type Inherited } from './git-process.ts';
import { createOpenMirror, type Mirror } from './mirror.ts';
import { sweepMirrors } from './mirror-directory.ts';
import { createMirrorFetch } from './mirror-fetch.ts';
import { readTexts } from './read-texts.ts';
import { createRemoteGit, type GitServer } from './remote-git.ts';
import { createServerRefs, type Stoppable } from './server-refs.ts';

/** What bounds the work on a mirror: times in milliseconds. */
const LIMITS = {
  fetchTimeoutMs: 10 * 60_000,
  /** For any other call. */
  queryTimeoutMs: 2 * 60_000,
  /** How long a stopped git has to clean up before it is killed. */
  killAfterMs: 5000,
  /** From this number of packs on, they are put together. */
  maxPacks: 30,
  /** Most names that `changedPaths` returns. */
  maxPaths: 300_000,
  /** Most bytes that are read from one call. */
  maxBytes: 64 * 1024 * 1024,
};
export type MirrorLimits = typeof LIMITS;

/**
 * One bare mirror for each repository, named `owner/name`. Every method throws TerminalError `invalid-repository`,
 * `invalid-sha` or `invalid-ref` before git is started, and RetryableError or TerminalError as `gitFailure` says.
 */
export type Mirrors = ReturnType<typeof createMirrors>;

/** The mirrors in `directory`. `others`: servers beside the first, by their names. */
export function createMirrors(
  deps: GitServer &
    Inherited & {
      directory: string;
      others?: ReadonlyMap<string, GitServer>;
      logger: Logger;
      clock: Clock;
      limits?: Partial<MirrorLimits>;
    },
) {
  const { logger } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const { queryTimeoutMs: timeoutMs, maxBytes, killAfterMs } = limits;
  const directory = resolve(deps.directory);
  const local = createLocalGit({ ...deps, timeoutMs, maxBytes, killAfterMs });
  const remote = createRemoteGit({ ...deps, maxBytes, killAfterMs });
  const mirrorFetch = createMirrorFetch({ ...deps, directory, local, remote, limits });
  const serverRefs = createServerRefs(remote, timeoutMs);
  const open = createOpenMirror({ directory, local, mirrorFetch, serverRefs, limits });

  /**
   * A method that asks the mirror of the repository that is named first; what can be told to stop may come last. Should the mirror
   * turn out to be damaged, it asks once more with a new one.
   */
  function ask<Args extends unknown[], Answer>(
    question: (mirror: Mirror, ...args: Args) => Promise<Answer>,
  ) {
    return async (repository: string, ...args: [...Args, options?: Stoppable]) => {
      const last: unknown = args.at(-1);
      const options: Stoppable = typeof last === 'object' && last !== null ? last : {};
      const mirror = open(repository, options);
      const asked = args as unknown as Args;
      try {
        return await question(mirror, ...asked);
      } catch (error) {
        if (errorCode(error) !== 'git-damaged') throw error;
        logger.warn({ repository, error: describeError(error) }, 'mirror is damaged, made again');
        await mirrorFetch.renew(repository, options);
        return await question(mirror, ...asked);
      }
    };
  }

  return {
    ...serverRefs,
    fetch: ask((mirror) => mirror.fetch()),
    renew: mirrorFetch.renew,
    /** Where the mirror is, or will be: an absolute path. */
    directoryOf: (repository: string) => join(directory, repositoryDirectory(repository)),
    /** See `Mirror`. */
    ensureCommit: ask((mirror, sha: string) => mirror.ensure(sha)),
    resolveTag: ask(resolveTag),
    isAncestor: ask(isAncestor),
    standing: ask(standing),
    standings: ask(standings),
    kindOfHead: ask(kindOfHead),
    changedPaths: ask(changedPaths),
    findRevision: ask(findRevision),
    commit: ask(readCommit),
    mergePreview: ask(mergePreview),
    readTexts: ask(readTexts),

    /** Removes the mirrors of all other repositories, but for those that are being fetched. */
    async retain(repositories: ReadonlySet<string>): Promise<void> {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const wanted = new Set([...repositories].map((name) => repositoryDirectory(name)));
      for (const name of await readdir(directory)) {
        if (name.startsWith('.') || wanted.has(name) || mirrorFetch.isBusy(name)) continue;
        logger.info({ repository: name.replace('++', ':').replaceAll('+', '/') }, 'mirror removed');
        await discard(join(directory, name), directory);
      }
    },

    /** Removes what a crash left half made, half removed or locked. To be called at start, before anything else. */
    async sweep(): Promise<void> {
      for (const error of await sweepMirrors(directory)) {
        logger.warn(
          { error: describeError(error), hint: hintOf(error) },
          'leftover mirror could not be removed',
        );
      }
    },
  };
}
