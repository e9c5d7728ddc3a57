import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { discard } from '../lib/discard.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { createMutex } from '../lib/mutex.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import { repositoryDirectory } from './directory-names.ts';
import { gitStopped } from './git-failure.ts';
import type { LocalGit } from './git-process.ts';
import { cleanMirror, countPacks, isMirror, makeMirror } from './mirror-directory.ts';
import type { RemoteGit } from './remote-git.ts';
import type { Stoppable } from './server-refs.ts';

const FETCH = 'fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc'.split(' ');
/** Everything is fetched under its own name, whether it moved forward or not, and what is gone is removed. */
const ALL = ['--force', '--prune', '--no-recurse-submodules'];
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** Fills the mirror of a repository at `path`; `started` is called when it may miss from then on what changes. */
type Work = (
  repository: string,
  path: string,
  stop: AbortSignal,
  started: () => void,
) => Promise<void>;

export type MirrorFetch = ReturnType<typeof createMirrorFetch>;

/** Whatever writes into a mirror, one call at a time for each repository. All throw as `gitFailure` says. */
export function createMirrorFetch(deps: {
  directory: string;
  local: LocalGit;
  remote: RemoteGit;
  logger: Logger;
  clock: Clock;
  limits: { fetchTimeoutMs: number; maxPacks: number };
}) {
  const { directory, local, remote, logger, clock } = deps;
  const { fetchTimeoutMs: timeoutMs, maxPacks } = deps.limits;
  const mutex = createMutex();

  return {
    /**
     * Brings all branches and tags, deletions and forced updates too, as they are on the server after this call. Makes a mirror
     * that is missing. Those who ask before the fetch has started share it, and with `since` those for whom one under way that was
     * asked for at that time or later will do.
     */
    fetch: shared(fetchAll),

    /** The same with a new mirror, for a reader that found it damaged. */
    renew: shared(async (repository, path, stop, started) => {
      await discard(path, directory);
      await fetchAll(repository, path, stop, started);
    }),

    /** One commit that no branch or tag leads to, without a ref; the mirror has to be there. */
    async fetchCommit(repository: string, sha: string, { signal }: Stoppable): Promise<void> {
      const doing = `fetching ${sha} of ${repository}`;
      const args = (url: string) => [...FETCH, '--end-of-options', url, sha];
      const key = repositoryDirectory(repository);
      const gitDirectory = join(directory, key);
      const fetch = () => remote({ doing, repository, args, gitDirectory, timeoutMs, signal });
      await mutex.run(key, () => cleanly(gitDirectory, fetch));
    },

    /** Whether something is written into the mirror with this directory name, or waits for its turn. */
    isBusy: (name: string) => mutex.isBusy(name),
  };

  function shared(work: Work) {
    const flight = createSingleFlight(mutex, () => clock.now());
    return async (repository: string, { signal, since }: Stoppable = {}): Promise<void> => {
      const key = repositoryDirectory(repository);
      const path = join(directory, key);
      try {
        await flight(
          key,
          (stop, started) => cleanly(path, () => work(repository, path, stop, started)),
          { signal, since },
        );
      } catch (error) {
        throw signal?.aborted ? gitStopped(`fetching ${repository}`, signal) : error;
      }
    };
  }

  /** Nothing that a git left which was killed, at any time and also by the system, is in the way of `work`, nor stays after it. */
  async function cleanly(path: string, work: () => Promise<unknown>): Promise<void> {
    await cleanMirror(path);
    try {
      await work();
    } catch (error) {
      // At once: half of a large pack may be what the disk has no room for.
      await cleanMirror(path);
      throw error;
    }
  }

  async function fetchAll(
    repository: string,
    gitDirectory: string,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<void> {
    const startedAt = clock.now();
    const isNew = !isMirror(gitDirectory);
    await makeMirror(gitDirectory, directory);
    const doing = `fetching ${repository}`;
    const args = (url: string) => [...FETCH, ...ALL, '--end-of-options', url, ...REFSPECS];
    await remote({ doing, repository, args, gitDirectory, timeoutMs, signal, onStart });
    logger.debug({ repository, ms: clock.now() - startedAt }, 'fetched');
    if (!isNew && (await countPacks(gitDirectory)) < maxPacks) return;
    // Small packs and loose refs make every look-up slower. Nothing is dropped: a commit that was forced away may be checked out.
    for (const tidying of ['pack-refs --all', 'repack --geometric=2 -d --quiet']) {
      await local({ doing, args: tidying.split(' '), gitDirectory, signal }).catch(
        (error: unknown) => {
          if (signal.aborted) throw error;
          logger.warn({ repository, error: describeError(error) }, 'mirror could not be tidied up');
        },
      );
    }
  }
}
