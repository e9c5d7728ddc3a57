import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { discard, discardLeftovers, isUsableDirectory } from '../lib/discard.ts';
import { describeError, errorCode, hintOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { createMutex } from '../lib/mutex.ts';
import { checkSha } from '../lib/names.ts';
import { makeOwn, type SystemUser } from '../lib/hand-over.ts';
import { laneDirectory, repositoryDirectory } from './directory-names.ts';
import { gitStopped } from './git-failure.ts';
import { createLocalGit, type Inherited } from './git-process.ts';
import type { Mirrors } from './mirrors.ts';
import { giveName, nameOf, unname } from './work-tree-name.ts';
import {
  bringTo,
  isWorkTree,
  makeWorkTree,
  placeOf,
  type Bringing,
  type Place,
} from './work-tree.ts';

/** A work tree with exactly the files of a commit. */
export interface Checkout {
  /** Absolute path: the steps' working directory. */
  directory: string;
  sha: string;
  /** Names what was made here: another one each time, on every machine. */
  name: string;
  /** Whether it stands as `keep` was left, with all that steps have made in it. */
  kept: boolean;
}

export interface CheckoutRequest extends Bringing {
  lane: string;
  /** The name of a checkout that is wanted back as it was left. One that is not here any more is made again. */
  keep?: string | undefined;
}

/** Trying again with a new work tree does not help against these. */
const NOT_THE_TREES_FAULT = new Set(['git-missing', 'git-stopped', 'git-timeout', 'disk-full']);
const LIMITS = { timeoutMs: 10 * 60_000, maxBytes: 256 * 1024 * 1024, killAfterMs: 5000 };

export type Checkouts = ReturnType<typeof createCheckouts>;

/** The work trees in `directory`. */
export function createCheckouts(
  deps: Inherited & {
    directory: string;
    mirrors: Pick<Mirrors, 'directoryOf' | 'ensureCommit' | 'renew'>;
    logger: Logger;
    clock: Clock;
  },
) {
  const { mirrors, logger, clock, environment } = deps;
  const directory = resolve(deps.directory);
  const git = createLocalGit({ environment, ...LIMITS });
  const mutex = createMutex();

  return {
    /**
     * The lane's work tree of the repository, brought to the commit: the files of the commit byte for byte, and nothing else,
     * unless it is the one to `keep`. Made again when it is damaged in any way. Throws TerminalError `commit-missing`,
     * `invalid-sha`, `invalid-repository`, and RetryableError or TerminalError as `gitFailure` says.
     */
    async prepare(request: CheckoutRequest): Promise<Checkout> {
      checkSha(request.sha);
      const lane = laneDirectory(request.lane);
      return await mutex.run(lane, () => prepareNow(lane, request));
    },

    /** Removes the work trees of all other lanes. `lanes` has to name those of running runs too. */
    async retain(lanes: ReadonlySet<string>): Promise<void> {
      const wanted = new Set([...lanes].map((lane) => laneDirectory(lane)));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        if (name.startsWith('.') || wanted.has(name) || mutex.isBusy(name)) continue;
        logger.info({ lane: name }, 'work tree removed');
        await clear(join(directory, name));
      }
    },

    /** Removes what a crash left half made, half removed or half checked out. To be called at start, before anything else. */
    async sweep(): Promise<void> {
      for (const error of await discardLeftovers(directory)) {
        logger.warn(
          { error: describeError(error), hint: hintOf(error) },
          'leftover work tree could not be removed',
        );
      }
      for (const place of await placesIn(directory)) {
        // What has no name was not brought to its commit: git may have left its locks there.
        if (nameOf(place) === undefined) await clear(place.directory);
      }
    },
  };

  async function prepareNow(lane: string, request: CheckoutRequest): Promise<Checkout> {
    const { repository, sha, keep, signal } = request;
    const startedAt = clock.now();
    const place = placeOf(join(directory, lane, repositoryDirectory(repository)));
    if (keep !== undefined && isKept(place, keep)) {
      return { directory: place.tree, sha, name: keep, kept: true };
    }
    await mirrors.ensureCommit(repository, sha, { signal });
    await makeLaneDirectory(join(directory, lane), request.user);
    await unname(place);
    // What belongs to another user is made again for each run.
    const isUsable = request.user === undefined && isWorkTree(place);
    await bring(place, request, !isUsable);
    logger.debug({ lane, repository, sha, ms: clock.now() - startedAt }, 'checked out');
    return { directory: place.tree, sha, name: giveName(place), kept: false };
  }

  /** In the work tree that is there or, `again`, a new one; when that fails for want of objects, with a new mirror too. */
  async function bring(place: Place, request: CheckoutRequest, again: boolean): Promise<void> {
    const { lane, repository, sha, signal } = request;
    if (signal?.aborted) throw gitStopped(`checking out ${repository}`, signal);
    const attempt = async () => {
      if (again) await renew(place);
      await bringTo(place, request, mirrors.directoryOf(repository), git);
    };
    try {
      await attempt();
    } catch (error) {
      const code = errorCode(error) ?? '';
      const fields = { lane, repository, sha, error: describeError(error) };
      if (!again && !signal?.aborted && !NOT_THE_TREES_FAULT.has(code)) {
        logger.warn(fields, 'work tree is damaged, made again');
        await bring(place, request, true);
      } else if (again && code === 'git-damaged') {
        logger.warn(fields, 'mirror is damaged, made again');
        await mirrors.renew(repository, { signal });
        await mirrors.ensureCommit(repository, sha, { signal });
        await attempt();
      } else throw error;
    }
  }

  async function renew(place: Place): Promise<void> {
    await clear(place.directory);
    await makeWorkTree(place, directory);
  }

  /** The lane's directory, and not a link or a file that a step put in its place. */
  async function makeLaneDirectory(path: string, user: SystemUser | undefined): Promise<void> {
    await makeOwn(directory, user);
    if (!isUsableDirectory(path)) await clear(path);
    await makeOwn(path, user);
  }

  /** `path` is free afterwards, even if what was there cannot be removed: that must not stop the lane. */
  async function clear(path: string): Promise<void> {
    try {
      await discard(path, directory);
    } catch (error) {
      logger.warn(
        { error: describeError(error), hint: hintOf(error) },
        'old work tree could not be removed',
      );
    }
  }
}

/** Whether this very checkout stands there. Also one that was handed over: its own run goes on in it, and we do nothing there. */
function isKept(place: Place, name: string): boolean {
  const isUsable = [place.directory, place.git, place.tree].every(isUsableDirectory);
  return isUsable && nameOf(place) === name;
}

/** Of all lanes. A link that a step put there is none: it would lead elsewhere. */
async function placesIn(directory: string): Promise<Place[]> {
  const places: Place[] = [];
  for (const lane of await readdir(directory)) {
    if (lane.startsWith('.') || !isUsableDirectory(join(directory, lane))) continue;
    // Of another user it may not be read; it is made again when its lane is deployed.
    for (const name of await readdir(join(directory, lane)).catch(() => [])) {
      places.push(placeOf(join(directory, lane, name)));
    }
  }
  return places;
}
