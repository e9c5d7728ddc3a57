import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { makeOwn, type Owner } from '../lib/owner.ts';
import { createMutex } from '../lib/mutex.ts';
import { laneDirectory, repositoryDirectory } from './directory-names.ts';
import { discard, discardLeftovers, isUsableDirectory } from './discard.ts';
import { gitStopped } from './git-failure.ts';
import { createLocalGit } from './local-git.ts';
import type { Mirrors } from './mirrors.ts';
import { checkSha } from '../lib/names.ts';
import { giveName, hasName, isNamed, unname } from './work-tree-name.ts';
import { bringTo, isWorkTree, makeWorkTree, placeOf, type Place } from './work-tree.ts';

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

export interface CheckoutRequest {
  lane: string;
  /** `owner/name`. */
  repository: string;
  sha: string;
  /** The name of a checkout that is wanted back as it was left. One that is not here any more is made anew. */
  keep?: string | undefined;
  /** To whom the tree is to belong; undefined: to this process's user. */
  owner?: Owner | undefined;
  signal?: AbortSignal | undefined;
}

export interface Checkouts {
  /**
   * The lane's work tree of the repository, brought to the commit: the files of the commit byte for byte, and nothing
   * else, unless it is the one to `keep`. Made anew when it is damaged in any way. Throws TerminalError `commit-missing`, `invalid-sha`,
   * `invalid-repository`, and RetryableError or TerminalError as `gitFailure` says.
   */
  prepare(request: CheckoutRequest): Promise<Checkout>;
  /** Removes the work trees of all other lanes. `lanes` has to name those of running runs too. */
  retain(lanes: ReadonlySet<string>): Promise<void>;
  /** Removes what a crash left half made, half removed or half checked out. To be called at start, before anything else. */
  sweep(): Promise<void>;
}

/** Trying again with a new work tree does not help against these. */
const NOT_THE_TREES_FAULT = new Set(['git-missing', 'git-stopped', 'git-timeout', 'disk-full']);

/** The work trees in `directory`. `environment` is the process's, for PATH; `timeoutMs` is for each git call. */
export function createCheckouts(deps: {
  directory: string;
  mirrors: Mirrors;
  logger: Logger;
  clock: Clock;
  environment?: Readonly<Record<string, string | undefined>>;
  limits?: { timeoutMs?: number; maxBytes?: number; killAfterMs?: number };
}): Checkouts {
  const { mirrors, logger, clock, environment } = deps;
  const directory = resolve(deps.directory);
  const git = createLocalGit({
    environment,
    timeoutMs: deps.limits?.timeoutMs ?? 10 * 60_000,
    maxBytes: deps.limits?.maxBytes ?? 256 * 1024 * 1024,
    killAfterMs: deps.limits?.killAfterMs,
  });
  const mutex = createMutex();

  return {
    async prepare(request) {
      checkSha(request.sha);
      const lane = laneDirectory(request.lane);
      return await mutex.run(lane, () => prepareNow(lane, request));
    },

    async retain(lanes) {
      const wanted = new Set([...lanes].map((lane) => laneDirectory(lane)));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        if (name.startsWith('.') || wanted.has(name) || mutex.isBusy(name)) continue;
        logger.info({ lane: name }, 'work tree removed');
        await clear(join(directory, name));
      }
    },

    async sweep() {
      for (const error of await discardLeftovers(directory)) {
        logger.warn({ error: describeError(error) }, 'leftover work tree could not be removed');
      }
      for (const place of await placesIn(directory)) {
        // What has no name was not brought to its commit: git may have left its locks there.
        if (!(await hasName(place).catch(() => false))) await clear(place.directory);
      }
    },
  };

  async function prepareNow(lane: string, request: CheckoutRequest): Promise<Checkout> {
    const { repository, sha, signal } = request;
    const startedAt = clock.now();
    const place = placeOf(join(directory, lane, repositoryDirectory(repository)));
    if (request.keep !== undefined && (await isNamed(place, request.keep))) {
      return { directory: place.tree, sha, name: request.keep, kept: true };
    }
    await mirrors.ensureCommit(repository, sha, { signal });
    await makeLaneDirectory(lane, request.owner);

    await unname(place);
    // What belongs to somebody else is made anew for each run.
    if (request.owner !== undefined || !(await isWorkTree(place))) {
      await bringNew(place, request);
    } else {
      try {
        await bring(place, request);
      } catch (error) {
        if (!mayHelp(error, signal)) throw error;
        logger.warn({ ...request, signal: undefined, error: describeError(error) }, REBUILT);
        await bringNew(place, request);
      }
    }
    logger.debug({ lane, repository, sha, ms: clock.now() - startedAt }, 'checked out');
    return { directory: place.tree, sha, name: await giveName(place), kept: false };
  }

  /** A new work tree; and when even that fails for want of objects, a new mirror too. */
  async function bringNew(place: Place, request: CheckoutRequest): Promise<void> {
    const { repository, sha, signal } = request;
    await renew(place);
    try {
      await bring(place, request);
    } catch (error) {
      if (!(error instanceof MainsheetError && error.code === 'git-damaged')) throw error;
      logger.warn({ repository, error: describeError(error) }, 'mirror is damaged, made anew');
      await mirrors.ensureCommit(repository, sha, { signal, renew: true });
      await renew(place);
      await bring(place, request);
    }
  }

  async function bring(place: Place, request: CheckoutRequest): Promise<void> {
    const { repository, sha, owner, signal } = request;
    if (signal?.aborted) throw gitStopped(`checking out ${repository}`, signal);
    const mirror = mirrors.directoryOf(repository);
    await bringTo(place, { sha, mirror, repository }, { git, signal, owner });
  }

  async function renew(place: Place): Promise<void> {
    await clear(place.directory);
    await makeWorkTree(place, directory);
  }

  /** The lane's directory, and not a link or a file that a step put in its place. */
  async function makeLaneDirectory(lane: string, owner: Owner | undefined): Promise<void> {
    const path = join(directory, lane);
    await makeOwn(directory, owner);
    if (!(await isUsableDirectory(path))) await clear(path);
    await makeOwn(path, owner);
  }

  /** `path` is free afterwards, even if what was there cannot be removed: that must not stop the lane. */
  async function clear(path: string): Promise<void> {
    try {
      await discard(path, directory);
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'old work tree could not be removed');
    }
  }
}

/** Of all lanes. A link that a step put there is none: it would lead elsewhere. */
async function placesIn(directory: string): Promise<Place[]> {
  const places: Place[] = [];
  for (const lane of await readdir(directory)) {
    if (lane.startsWith('.') || !(await isUsableDirectory(join(directory, lane)))) continue;
    // Of somebody else it may not be read; it is made anew when its lane is deployed.
    for (const name of await readdir(join(directory, lane)).catch(() => [])) {
      places.push(placeOf(join(directory, lane, name)));
    }
  }
  return places;
}

const REBUILT = 'work tree is damaged, made anew';

function mayHelp(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted) return false;
  return !(error instanceof MainsheetError && NOT_THE_TREES_FAULT.has(error.code));
}
