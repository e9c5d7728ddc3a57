import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kind } from './read-index.ts';

/**
 * The first thing in `tree` that is not among what `readIndex` gives: an unknown name, something in a submodule's directory, a
 * directory that its owner may not use. Undefined when there is none. `git status` alone does not see a `.git` that a step made
 * somewhere below, nor what is in a submodule. `.git` at the top is not looked at.
 */
export async function findStray(
  tree: string,
  known: ReadonlyMap<string, Kind>,
): Promise<string | undefined> {
  return await walk('');

  async function walk(directory: string): Promise<string | undefined> {
    const { mode } = await lstat(pathOf(directory));
    // As root one could use it all the same, but the steps may be somebody else.
    if ((mode & 0o700) !== 0o700) return readable(directory);
    const entries = await readdir(pathOf(directory), { withFileTypes: true, encoding: 'buffer' });
    for (const entry of entries) {
      const name = join(directory, entry.name.toString('latin1'));
      if (name === '.git') continue;
      const kind = known.get(name);
      if (kind === undefined || (kind !== 'file') !== entry.isDirectory()) return readable(name);
      if (kind === 'submodule' && (await readdir(pathOf(name))).length > 0) return readable(name);
      const stray = kind === 'directory' ? await walk(name) : undefined;
      if (stray !== undefined) return stray;
    }
    return undefined;
  }

  function pathOf(name: string): Buffer {
    return Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(name, 'latin1')]);
  }
}

function readable(name: string): string {
  return name === '' ? '.' : Buffer.from(name, 'latin1').toString();
}
