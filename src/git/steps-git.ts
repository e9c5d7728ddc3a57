import { chmod, copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, RetryableError } from '../lib/errors.ts';
import type { SystemUser } from '../lib/hand-over.ts';
import { keepFile, makeGitDirectory, WORK_TREE } from './git-directory.ts';
import { readRefs } from './mirror-directory.ts';

/** What a repository's objects are in: packs with their indexes, and single objects in directories of two digits. */
const OBJECT_FILE =
  /(?:^|\/)(?:pack\/pack-[0-9a-f]+\.(?:pack|idx|rev)|[0-9a-f]{2}\/[0-9a-f]{38,62})$/;
/** How often packs may be put together while we look. */
const ATTEMPTS = 5;
/** Refs that steps see at most. */
const MOST_REFS = 20_000;
const ORIGIN = 'refs/remotes/origin/';

/**
 * Makes a `.git` for the steps, so that `git log`, `git describe` and the like work in the checkout of `sha`. It borrows the
 * mirror's objects and copies its refs; whatever a step does to it ends with the next checkout. Another user cannot read the
 * mirror, so for a `user` the files of its objects get a second name here. Throws RetryableError `objects-moving`.
 */
export async function giveStepsGit(
  path: string,
  { sha, mirror, index }: { sha: string; mirror: string; index: Buffer },
  user: SystemUser | undefined,
): Promise<void> {
  const refs = [...(await readRefs(mirror))].slice(0, MOST_REFS);
  const lines = refs.map(([ref, at]) => `${at} ${ref.replace(/^refs\/heads\//, ORIGIN)}\n`);
  const objects = join(mirror, 'objects');
  await makeGitDirectory(path, WORK_TREE);
  if (user === undefined) await keepFile(join(path, 'objects/info/alternates'), `${objects}\n`);
  // After the refs were read, so that no object that they need is missed.
  else await linkObjects(objects, join(path, 'objects'));
  await Promise.all([
    writeFile(join(path, 'packed-refs'), lines.join('')),
    writeFile(join(path, 'index'), index),
  ]);
  // Last, for without HEAD git does not take the directory for a repository.
  await writeFile(join(path, 'HEAD'), `${sha}\n`);
}

/**
 * Gives the files of all objects in `from` a second name below `to`, or copies them where that is not possible. They stay ours
 * and cannot be written: git never changes a file of objects. They become readable for all who can reach them.
 */
async function linkObjects(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const name = path.slice(from.length + 1);
        if (entry.isFile() && OBJECT_FILE.test(name)) await linkOrCopy(path, join(to, name));
      }
      return;
    } catch (error) {
      // Packs were put together meanwhile: what is gone is in another one now.
      if (errorCode(error) !== 'ENOENT') throw error;
      if (attempt === ATTEMPTS) {
        const message = 'the objects of the mirror change all the time';
        throw new RetryableError('objects-moving', message, { cause: error });
      }
    }
  }
}

async function linkOrCopy(path: string, second: string): Promise<void> {
  await mkdir(dirname(second), { recursive: true });
  await chmod(path, 0o444);
  try {
    await link(path, second);
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (code === 'EEXIST') return;
    // Another file system, one that has no second names, or too many of them.
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(code)) throw error;
    await copyFile(path, second);
  }
}
