import { chmod, copyFile, link, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RetryableError } from '../lib/errors.ts';

/** What a repository's objects are in: packs with their indexes, and single objects in directories of two digits. */
const PACK_FILE = /^pack-[0-9a-f]+\.(?:pack|idx|rev)$/;
const LOOSE_DIRECTORY = /^[0-9a-f]{2}$/;
const LOOSE_FILE = /^[0-9a-f]{38,62}$/;
/** How often packs may be put together while we look. */
const ATTEMPTS = 5;

/**
 * Gives the files of all objects in `from` a second name below `to`, an empty directory of ours on the same file system;
 * copies them where that is not possible. They stay ours and nobody can write them: git never changes a file of objects.
 * They become readable for all who can reach them. Throws RetryableError `objects-moving` when `from` does not keep still.
 */
export async function linkObjects(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await linkFiles(join(from, 'pack'), join(to, 'pack'), PACK_FILE);
      for (const name of await readdir(from)) {
        if (LOOSE_DIRECTORY.test(name))
          await linkFiles(join(from, name), join(to, name), LOOSE_FILE);
      }
      return;
    } catch (error) {
      // Packs were put together meanwhile: what is gone is in another one now.
      if (codeOf(error) !== 'ENOENT') throw error;
      if (attempt === ATTEMPTS) {
        const message = 'the objects of the mirror change all the time';
        throw new RetryableError('objects-moving', message, { cause: error });
      }
    }
  }
}

async function linkFiles(from: string, to: string, wanted: RegExp): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (!wanted.test(name)) continue;
    const path = join(from, name);
    const status = await lstat(path);
    if (!status.isFile()) continue;
    if ((status.mode & 0o777) !== 0o444) await chmod(path, 0o444);
    await linkOrCopy(path, join(to, name));
  }
}

async function linkOrCopy(path: string, second: string): Promise<void> {
  try {
    await link(path, second);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    // Another file system, one that has no second names, or too many of them.
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(String(code))) throw error;
    await copyFile(path, second);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
