import { lstat, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { discard, discardLeftovers, isUsableDirectory, placeForNew } from './discard.ts';

/** Everything a mirror's configuration says. There is no remote in it: the URL is given with each call. */
const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogallrefupdates = false
`;

/** The second is no lock by its name, and is one all the same. */
const LOCK = /\.lock$|^packed-refs\.new$/;
/** The last keeps a pack from ever being put together with others. */
const UNFINISHED_PACK = /\.lock$|^\.?tmp[_-]|\.keep$/;

/**
 * Makes `path` a bare repository with our configuration: a new one when there is none (made aside, so that there never
 * is half a mirror), else the one that is there, with its configuration set back. Written here and not by `git init`,
 * which would bring hooks.
 */
export async function makeMirror(path: string, parent: string): Promise<void> {
  if (!(await isMirror(path))) {
    const made = placeForNew(parent);
    await mkdir(join(made, 'objects', 'info'), { recursive: true, mode: 0o700 });
    await mkdir(join(made, 'objects', 'pack'));
    await mkdir(join(made, 'refs', 'heads'), { recursive: true });
    await mkdir(join(made, 'refs', 'tags'));
    await writeFile(join(made, 'HEAD'), 'ref: refs/heads/main\n');
    await writeFile(join(made, 'config'), CONFIG);
    await discard(path, parent);
    await rename(made, path);
  }
  await keepConfig(join(path, 'config'), CONFIG);
}

/** Sets the configuration of the mirror at `path` back, if there is one: before git reads anything there. */
export async function keepMirrorConfig(path: string): Promise<void> {
  if (await isMirror(path)) await keepConfig(join(path, 'config'), CONFIG);
}

/** Whether a mirror was made at `path` that can be used. */
export async function isMirror(path: string): Promise<boolean> {
  return (await isUsableDirectory(path)) && (await isUsableDirectory(join(path, 'objects')));
}

/** Writes `content` to `path` unless that is what it says: a changed configuration does not outlive its step. */
export async function keepConfig(path: string, content: string): Promise<void> {
  if ((await textOf(path)) === content) return;
  // Not through a link, should it have become one, and not into a directory.
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content, { flag: 'wx', mode: 0o600 });
}

/** What a file says; undefined when it cannot be read, or is no file: reading a pipe that a step made would never end. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isFile() ? await readFile(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes from `parent` what a crash left: half made and half removed mirrors, and what `cleanMirror` removes. Returns why
 * something could not be removed. Only while no git runs in any of them.
 */
export async function sweepMirrors(parent: string): Promise<Error[]> {
  const failures = await discardLeftovers(parent);
  for (const name of await readdir(parent)) {
    await cleanMirror(join(parent, name)).catch((error: Error) => failures.push(error));
  }
  return failures;
}

/**
 * Removes what a git that was killed left in a mirror: locks, which git itself leaves to somebody else for ever, and packs
 * that it had not finished, which may be as large as the repository. Only while no git writes there.
 */
export async function cleanMirror(path: string): Promise<void> {
  if (!(await isMirror(path))) return;
  const objects = join(path, 'objects');
  const found = [
    ...(await listFiles(path, LOCK)),
    // A branch may be called anything else.
    ...(await listFiles(join(path, 'refs'), /\.lock$/, { recursive: true })),
    ...(await listFiles(join(objects, 'info'), LOCK)),
    ...(await listFiles(join(objects, 'pack'), UNFINISHED_PACK)),
  ];
  for (const file of found) await rm(file, { force: true });
}

/** How many packs the mirror has. */
export async function countPacks(path: string): Promise<number> {
  return (await listFiles(join(path, 'objects', 'pack'), /\.pack$/)).length;
}

async function listFiles(
  path: string,
  name: RegExp,
  options: { recursive?: boolean } = {},
): Promise<string[]> {
  try {
    const entries = await readdir(path, { ...options, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && name.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
