import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { discard, discardLeftovers, isUsableDirectory, placeForNew } from '../lib/discard.ts';
import { isObjectName } from '../lib/names.ts';
import { LOCK, makeGitDirectory, MIRROR, textOf } from './git-directory.ts';

/** The last keeps a pack from ever being put together with others. */
const UNFINISHED_PACK = /\.lock$|^\.?tmp[_-]|\.keep$/;
/** A ref as `packed-refs` has it. What begins with "#" or "^" there is none. */
const PACKED = /^([0-9a-f]{40}) (refs\/(?:heads|tags)\/[^\0-\x20\x7f]+)$/gm;
const UNUSUAL = /[\0-\x20\x7f]/;

/**
 * Makes `path` a bare repository with our configuration: a new one when there is none, made under another name, so that there
 * never is half a mirror.
 */
export async function makeMirror(path: string, parent: string): Promise<void> {
  if (isMirror(path)) return;
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const made = placeForNew(parent);
  await makeGitDirectory(made, MIRROR);
  await discard(path, parent);
  await rename(made, path);
}

/** Whether a mirror was made at `path` that can be used. */
export function isMirror(path: string): boolean {
  return isUsableDirectory(path) && isUsableDirectory(join(path, 'objects'));
}

/**
 * Removes from `parent` half made and half removed mirrors, and what `cleanMirror` removes. Returns why something could not be
 * removed. Only while no git runs in any of them.
 */
export async function sweepMirrors(parent: string): Promise<Error[]> {
  const failures = await discardLeftovers(parent);
  for (const name of await readdir(parent)) {
    await cleanMirror(join(parent, name)).catch((error: Error) => failures.push(error));
  }
  return failures;
}

/**
 * Removes what a git that was killed left in a mirror: locks, which stop every later git, and packs that it had not finished,
 * which may be as large as the repository. Only while no git writes there.
 */
export async function cleanMirror(path: string): Promise<void> {
  if (!isMirror(path)) return;
  const found = await Promise.all([
    listFiles(path, LOCK),
    // A branch may be called anything else.
    listFiles(join(path, 'refs'), /\.lock$/, true),
    listFiles(join(path, 'objects', 'info'), LOCK),
    listFiles(join(path, 'objects', 'pack'), UNFINISHED_PACK),
  ]);
  for (const file of found.flat()) await rm(file, { force: true });
}

/** How many packs the mirror has. */
export async function countPacks(path: string): Promise<number> {
  return (await listFiles(join(path, 'objects', 'pack'), /\.pack$/)).length;
}

/**
 * The branches and tags of a mirror with the objects that they are at: https://git-scm.com/docs/gitrepository-layout. They are
 * files of our own, so that no git has to be started for them. Those that moved last come first. What is no ref is left out, and
 * links are not followed.
 */
export async function readRefs(mirror: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  // First, for git moves them from here into the other file.
  for (const kind of ['heads', 'tags']) {
    for (const path of await listFiles(join(mirror, 'refs', kind), /(?:)/, true)) {
      const ref = path.slice(mirror.length + 1);
      const sha = UNUSUAL.test(ref) ? undefined : textOf(path)?.trimEnd();
      if (isObjectName(sha)) refs.set(ref, sha);
    }
  }
  const packed = textOf(join(mirror, 'packed-refs')) ?? '';
  for (const [, sha = '', ref = ''] of packed.matchAll(PACKED)) {
    if (!refs.has(ref)) refs.set(ref, sha);
  }
  return refs;
}

async function listFiles(path: string, name: RegExp, recursive = false): Promise<string[]> {
  const entries = await readdir(path, { recursive, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
