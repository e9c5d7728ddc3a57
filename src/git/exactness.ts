import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What stands under a name in a work tree. */
type Kind = 'file' | 'directory' | 'submodule';

/** Fixed bytes of an entry before its name: https://git-scm.com/docs/index-format */
const [HEADER, FIXED, MODE, FLAGS] = [12, 62, 24, 60];
const SUBMODULE = 0o16;

/**
 * The names in the index of a commit that was just checked out, and the directories that they are in, as bytes of one character
 * each (`latin1`): names need not be valid Unicode. Undefined for an index that git does not write then: of another version than
 * 2, with files that git was told not to compare with those in the work tree, in conflict, or cut off.
 */
export function readIndex(index: Buffer): Map<string, Kind> | undefined {
  if (index.length < HEADER || index.toString('latin1', 0, 4) !== 'DIRC') return undefined;
  if (index.readUInt32BE(4) !== 2) return undefined;
  const known = new Map<string, Kind>();
  let at = HEADER;
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const end = index.indexOf(0, at + FIXED);
    // The four bits before the length of the name: not to be compared, of a later version, in conflict.
    if (end === -1 || index.readUInt16BE(at + FLAGS) > 0xfff) return undefined;
    const name = index.toString('latin1', at + FIXED, end);
    known.set(name, index.readUInt32BE(at + MODE) >> 12 === SUBMODULE ? 'submodule' : 'file');
    addDirectories(known, name);
    // One to eight zeros, up to a multiple of eight.
    at += (end - at + 8) & ~7;
  }
  return known;
}

function addDirectories(known: Map<string, Kind>, name: string): void {
  for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
    const directory = name.slice(0, end);
    if (known.has(directory)) return;
    known.set(directory, 'directory');
  }
}

/**
 * The first thing in `tree` that is not among what `readIndex` gives: an unknown name, something in a submodule's directory, a
 * directory that its owner may not use. Undefined when there is none. `git status` alone does not see a `.git` that a step made
 * somewhere below, nor what is in a submodule. `.git` at the top is not looked at.
 */
export async function findStray(
  tree: string,
  known: ReadonlyMap<string, Kind>,
  directory = '',
): Promise<string | undefined> {
  const pathOf = (name: string) =>
    Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(name, 'latin1')]);
  // As root one could use it all the same, but the steps may be another user.
  if (((await lstat(pathOf(directory))).mode & 0o700) !== 0o700) return readable(directory || '.');
  const options = { withFileTypes: true, encoding: 'buffer' } as const;
  for (const entry of await readdir(pathOf(directory), options)) {
    const name = join(directory, entry.name.toString('latin1'));
    if (name === '.git') continue;
    const kind = known.get(name);
    if (kind === undefined || (kind !== 'file') !== entry.isDirectory()) return readable(name);
    if (kind === 'submodule' && (await readdir(pathOf(name))).length > 0) return readable(name);
    const stray = kind === 'directory' ? await findStray(tree, known, name) : undefined;
    if (stray !== undefined) return stray;
  }
  return undefined;
}

function readable(name: string): string {
  return Buffer.from(name, 'latin1').toString();
}
