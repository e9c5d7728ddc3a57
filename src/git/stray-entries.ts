import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const COMPARED = 'H ';
const SUBMODULE = `${COMPARED}160000`;

/**
 * The first file in the index, as `git ls-files --stage -v -z` lists it, that git was told not to compare with the one in the work
 * tree. Undefined when there is none.
 */
export function findHidden(listing: Buffer): string | undefined {
  const lines = listing.toString('latin1').split('\0');
  const hidden = lines.find((line) => line !== '' && !line.startsWith(COMPARED));
  return hidden === undefined ? undefined : readable(hidden.slice(hidden.indexOf('\t') + 1));
}

/**
 * The first thing in `tree` that is not in the index as `git ls-files --stage -v -z` lists it: an unknown name, something in
 * a submodule's directory, a directory that its owner may not use. Undefined when there is none. `git status` alone does
 * not see a `.git` that a step made somewhere below, nor what is in a submodule. `.git` at the top is not looked at.
 */
export async function findStray(tree: string, listing: Buffer): Promise<string | undefined> {
  // As bytes, one character each: names need not be valid Unicode.
  const known = readListing(listing);
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

type Kind = 'file' | 'directory' | 'submodule';

function readListing(listing: Buffer): Map<string, Kind> {
  const known = new Map<string, Kind>();
  for (const line of listing.toString('latin1').split('\0')) {
    const tab = line.indexOf('\t');
    if (tab === -1) continue;
    const name = line.slice(tab + 1);
    known.set(name, line.startsWith(SUBMODULE) ? 'submodule' : 'file');
    for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
      const directory = name.slice(0, end);
      if (known.has(directory)) break;
      known.set(directory, 'directory');
    }
  }
  return known;
}

function readable(name: string): string {
  return name === '' ? '.' : Buffer.from(name, 'latin1').toString();
}
