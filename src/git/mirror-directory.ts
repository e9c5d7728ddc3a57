import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { discard, isRealDirectory, placeForNew } from './discard.ts';

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

/** Removes lock files and unfinished packs that a killed git left. Only while no git runs in the mirror. */
export async function removeStaleLocks(path: string): Promise<void> {
  const packs = join(path, 'objects', 'pack');
  const found = [
    ...(await listFiles(path, false)),
    ...(await listFiles(join(path, 'refs'), true)),
    ...(await listFiles(join(path, 'objects', 'info'), true)),
    ...(await listFiles(packs, false)),
  ];
  for (const file of found) {
    if (file.endsWith('.lock') || file.startsWith(join(packs, 'tmp_')))
      await rm(file, { force: true });
  }
}

/** How many packs the mirror has. */
export async function countPacks(path: string): Promise<number> {
  const files = await listFiles(join(path, 'objects', 'pack'), false);
  return files.filter((file) => file.endsWith('.pack')).length;
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
