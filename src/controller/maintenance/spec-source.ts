import {
  mkdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { MainsheetError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Checkouts } from '../../git/checkouts.ts';
import { laneDirectory } from '../../git/directory-names.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { TellSpecs } from './spec-check.ts';
import { createLoop, type Loop } from '../loop.ts';
import { problemAt } from '../../spec/problem.ts';

/** How old the specs may be when no push told of a newer commit. */
const POLL_MS = 60_000;
/** A repository that cannot be reached is asked at once, and then less and less often. */
const BACKOFF = { baseMs: 1000, maxMs: POLL_MS };
/**
 * Two work trees in turn: the one in use stays as it is while the other is brought to the next commit. No spec can name such a
 * lane, or its steps would run among the specs.
 */
export const SPEC_LANES = ['mainsheet specs a', 'mainsheet specs b'] as const;

/**
 * Keeps the specs of a repository (`MAINSHEET_DEPLOYMENTS=github:owner/repo…`) in a directory: `link` always points at
 * one whole commit of it, so that the catalog never reads half a checkout. While GitHub cannot be reached the last
 * commit stays in use, and it is asked less and less often.
 */
export function createSpecSource(deps: {
  repository: string;
  /** Below the repository's root; empty for the root. */
  path: string;
  /** A branch, a tag or the full name of a commit; undefined means the default branch. */
  ref: string | undefined;
  /** The symbolic link that the catalog reads. */
  link: string;
  mirrors: Mirrors;
  checkouts: Checkouts;
  catalog: Pick<Catalog, 'reload'>;
  tell: TellSpecs;
  logger: Logger;
}): Loop {
  const { repository, mirrors, checkouts, logger } = deps;
  let current: string | undefined;

  async function turn(signal: AbortSignal): Promise<boolean> {
    const sha = await newest(signal);
    if (sha === current) return false;
    const lane = await spareLane(deps.link);
    const { directory } = await checkouts.prepare({ lane, repository, sha, signal });
    const specs = await told(sha, specsIn(directory));
    await note(deps.link, specs, sha);
    await point(deps.link, specs);
    logger.info({ repository, sha }, 'deployment specs checked out');
    const { problems } = await deps.catalog.reload();
    await deps.tell(sha, problems);
    current = sha;
    return false;
  }

  async function newest(signal: AbortSignal): Promise<string> {
    try {
      return await mirrors.revision(repository, deps.ref, { signal });
    } catch (error) {
      if (!(error instanceof MainsheetError && error.code === 'ref-missing')) throw error;
      throw new MainsheetError('spec-ref', error.message, {
        cause: error,
        hint: 'name a branch, a tag or a commit in MAINSHEET_DEPLOYMENTS: github:owner/repo@ref',
      });
    }
  }

  /** Where there are no specs to be read, the commit says so too. */
  async function told(sha: string, found: Promise<string>): Promise<string> {
    try {
      return await found;
    } catch (error) {
      const { message } = error as MainsheetError;
      await deps.tell(sha, [problemAt({ file: '.' }, message)]);
      throw error;
    }
  }

  /** The directory with the specs, every link followed: one that leads out of the checkout could show any file as a spec. */
  async function specsIn(checkout: string): Promise<string> {
    const root = await realpath(checkout);
    const target = await realpath(resolve(checkout, deps.path)).catch((error: unknown) => {
      throw notInside('there is no such directory', error);
    });
    if (target === root || target.startsWith(root + sep)) return target;
    throw notInside('it leads out of the repository');
  }

  function notInside(why: string, cause?: unknown): MainsheetError {
    return new MainsheetError(
      'spec-path',
      `${JSON.stringify(deps.path)} is not a path inside ${repository}: ${why}`,
      { cause, hint: 'name a directory of it in MAINSHEET_DEPLOYMENTS: github:owner/repo/path' },
    );
  }

  return createLoop({ name: 'specs', turn, pollMs: POLL_MS, backoff: BACKOFF, logger });
}

/** The one that `link` does not lead into: the process before this one has left it behind. */
async function spareLane(link: string): Promise<string> {
  const [a, b] = SPEC_LANES;
  const inUse = await readlink(link).catch(() => '');
  return inUse.split(sep).includes(laneDirectory(a)) ? b : a;
}

/** Makes `link` point at `target`, in one step for each reader. */
async function point(link: string, target: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  const next = join(dirname(link), '.next-specs');
  await rm(next, { force: true });
  await symlink(target, next);
  await rename(next, link);
}

/** The commit that `link` leads to, as its full name; undefined when there is none, or none is known. */
export async function commitBehind(link: string): Promise<string | undefined> {
  const target = await readlink(link).catch(() => undefined);
  return target === undefined ? undefined : (await commitsOf(link))[target];
}

/** Keeps beside `link` which commit stands in a directory, before `link` leads there: so it is right at any time. */
async function note(link: string, target: string, sha: string): Promise<void> {
  const inUse = await readlink(link).catch(() => '');
  const { [inUse]: before } = await commitsOf(link);
  const next = `${link}.commits.next`;
  await mkdir(dirname(link), { recursive: true });
  await writeFile(next, JSON.stringify({ [inUse]: before, [target]: sha }));
  await rename(next, `${link}.commits`);
}

async function commitsOf(link: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(`${link}.commits`, 'utf8')) as Record<string, string>;
  } catch {
    // Not there yet, or broken off by a crash: the next checkout writes it.
    return {};
  }
}
