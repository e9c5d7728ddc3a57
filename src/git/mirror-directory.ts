import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { discard, discardLeftovers, isRealDirectory, placeForNew } from './discard.ts';

/** Everything a mirror's configuration says. There is no remote in it: the URL is given with each call. */
const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogallrefupdates = false
`;

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

/** Whether a mirror was made at `path`. */
export async function isMirror(path: string): Promise<boolean> {
  return (await isRealDirectory(path)) && (await isRealDirectory(join(path, 'objects')));
}

/** Writes `content` to `path` unless that is what it says: a changed configuration does not outlive its step. */
export async function keepConfig(path: string, content: string): Promise<void> {
  const now = await readFile(path, 'utf8').catch(() => undefined);
  if (now === content) return;
  // Not through a link, should it have become one, and not into a directory.
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content, { flag: 'wx', mode: 0o600 });
}

/**
 * Removes from the mirrors in `parent` what a crash left: half made and half removed ones, lock files, unfinished packs.
 * Returns why something could not be removed. Only while no git runs in any of them.
 */
export async function sweepMirrors(parent: string): Promise<Error[]> {
  const failures = await discardLeftovers(parent);
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    if (await isMirror(path)) {
      await removeLocks(path)
        .then(() => removeUnfinishedPacks(path))
        .catch((error: Error) => failures.push(error));
    }
  }
  return failures;
}

/**
 * Removes the locks that a killed git left: git itself would wait for somebody to do that, for ever. Only while no git runs
 * that changes refs of the mirror.
 */
export async function removeLocks(path: string): Promise<void> {
  const found = [
    ...(await listFiles(path, false)),
    ...(await listFiles(join(path, 'refs'), true)),
    ...(await listFiles(join(path, 'objects', 'info'), true)),
    ...(await listFiles(join(path, 'objects', 'pack'), false)),
  ];
  for (const file of found) {
    // The other one is no lock by its name, and is one all the same.
    if (file.endsWith('.lock') || basename(file) === 'packed-refs.new') {
      await rm(file, { force: true });
    }
  }
}

/** How many packs the mirror has. */
export async function countPacks(path: string): Promise<number> {
  const files = await listFiles(join(path, 'objects', 'pack'), false);
  return files.filter((file) => file.endsWith('.pack')).length;
}

async function removeUnfinishedPacks(path: string): Promise<void> {
  const packs = join(path, 'objects', 'pack');
  for (const file of await listFiles(packs, false)) {
    if (/^\.?tmp[_-]/.test(basename(file))) await rm(file, { force: true });
  }
}

async function listFiles(path: string, recursive: boolean): Promise<string[]> {
  try {
    const entries = await readdir(path, { recursive, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
