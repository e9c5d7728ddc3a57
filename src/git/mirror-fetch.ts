import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { createMutex } from '../lib/mutex.ts';
import { repositoryDirectory } from './directory-names.ts';
import { discard } from './discard.ts';
import type { LocalGit } from './local-git.ts';
import { cleanMirror, countPacks, isMirror, makeMirror } from './mirror-directory.ts';
import { readHead, readRefs } from './mirror-refs.ts';
import type { RemoteGit } from './remote-git.ts';
import type { Fetch } from './shared-fetches.ts';

/** Everything is fetched under its own name, whether it moved forward or not, and what is gone is removed. */
const FETCH =
  'fetch --quiet --force --prune --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules'.split(
    ' ',
  );
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** Only the objects: the refs that a commit was found by are none of its business. */
const FETCH_COMMIT = 'fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc'.split(' ');

/** The default branch seldom changes: looked up at most this often, in milliseconds. */
const HEAD_INTERVAL = 60 * 60_000;

/** Whatever writes into a mirror, one call at a time for each repository. All throw as `gitFailure` says. */
export interface MirrorFetch {
  /** All branches and tags. Makes a mirror that is missing, and makes one anew that git calls damaged. */
  fetch: Fetch;
  /** Makes the mirror anew, because reading found it damaged. */
  renew: Fetch;
  /** One commit that no branch or tag leads to; the mirror has to be there. */
  fetchCommit(repository: string, sha: string, signal: AbortSignal | undefined): Promise<void>;
}

export function createMirrorFetch(deps: {
  directory: string;
  local: LocalGit;
  remote: RemoteGit;
  logger: Logger;
  clock: Clock;
  limits: { fetchTimeoutMs: number; maxPacks: number };
}): MirrorFetch {
  const { directory, local, remote, logger, clock, limits } = deps;
  /** When the default branch of a mirror was last looked up. A mirror without an entry is new to this process. */
  const headReadAt = new Map<string, number>();
  const mutex = createMutex();
  const pathOf = (repository: string) => join(directory, repositoryDirectory(repository));

  return {
    async fetch(repository, signal, started) {
      const path = pathOf(repository);
      const startedAt = clock.now();
      await alone(path, async () => {
        try {
          await fetchInto(path, repository, signal, started);
        } catch (error) {
          if (!(error instanceof MainsheetError && error.code === 'git-damaged')) throw error;
          logger.warn({ repository, error: describeError(error) }, 'mirror is damaged, made anew');
          await discard(path, directory);
          await fetchInto(path, repository, signal, started);
        }
      });
      logger.debug({ repository, ms: clock.now() - startedAt }, 'fetched');
    },

    async renew(repository, signal, started) {
      const path = pathOf(repository);
      await alone(path, async () => {
        await discard(path, directory);
        await fetchInto(path, repository, signal, started);
      });
    },

    async fetchCommit(repository, sha, signal) {
      const path = pathOf(repository);
      await alone(path, async () => {
        await remote({
          doing: `fetching ${sha} of ${repository}`,
          repository,
          args: (url) => [...FETCH_COMMIT, '--end-of-options', url, sha],
          gitDirectory: path,
          timeoutMs: limits.fetchTimeoutMs,
          signal,
        });
      });
    },
  };

  /** Does what writes into a mirror when nobody else does. git may have been killed there at any time, also by the system. */
  async function alone(path: string, work: () => Promise<void>): Promise<void> {
    await mutex.run(path, async () => {
      await cleanMirror(path);
      try {
        await work();
      } catch (error) {
        // At once: half of a large pack may be what the disk has no room for.
        await cleanMirror(path);
        throw error;
      }
    });
  }

  async function fetchInto(
    path: string,
    repository: string,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<void> {
    const isNew = !(await isMirror(path));
    await makeMirror(path, directory);
    await remote({
      doing: `fetching ${repository}`,
      repository,
      args: (url) => [...FETCH, '--end-of-options', url, ...REFSPECS],
      gitDirectory: path,
      timeoutMs: limits.fetchTimeoutMs,
      signal,
      onStart,
    });
    await setHead(path, repository, signal, isNew);
    if (isNew || (await countPacks(path)) >= limits.maxPacks)
      await tidyUp(path, repository, signal);
  }

  /** Points the mirror's HEAD at the repository's default branch. */
  async function setHead(
    path: string,
    repository: string,
    signal: AbortSignal,
    isNew: boolean,
  ): Promise<void> {
    const readAt = headReadAt.get(path) ?? 0;
    if (!isNew && clock.now() - readAt < HEAD_INTERVAL && (await headExists(path))) return;
    const output = await remote({
      doing: `reading the default branch of ${repository}`,
      repository,
      args: (url) => ['ls-remote', '--symref', '--quiet', '--end-of-options', url, 'HEAD'],
      timeoutMs: limits.fetchTimeoutMs,
      signal,
    });
    headReadAt.set(path, clock.now());
    const head = /^ref: (refs\/heads\/.+)\tHEAD$/m.exec(output)?.[1];
    if (head === undefined) return;
    const args = ['symbolic-ref', '--end-of-options', 'HEAD', head];
    await local({ doing: 'naming the default branch', args, gitDirectory: path, signal });
  }

  async function headExists(path: string): Promise<boolean> {
    const head = await readHead(path);
    return head !== undefined && (await readRefs(path)).has(head);
  }

  /**
   * Puts small packs and loose refs together. Nothing is ever dropped, so that a checkout whose commit was forced away
   * stays whole. A failure costs speed only.
   */
  async function tidyUp(path: string, repository: string, signal: AbortSignal): Promise<void> {
    try {
      const doing = `tidying up the mirror of ${repository}`;
      await local({ doing, args: ['pack-refs', '--all'], gitDirectory: path, signal });
      const args = ['repack', '--geometric=2', '-d', '--quiet'];
      await local({ doing, args, gitDirectory: path, signal });
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn({ repository, error: describeError(error) }, 'mirror could not be tidied up');
    }
  }
}
