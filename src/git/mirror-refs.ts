import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isObjectName } from '../lib/names.ts';
import { textOf } from './mirror-directory.ts';

/** A ref as `packed-refs` has it. What begins with "#" or "^" there is none. */
const PACKED = /^([0-9a-f]{40}) (refs\/(?:heads|tags)\/[^\0-\x20\x7f]+)$/gm;
const UNUSUAL = /[\0-\x20\x7f]/;

/**
 * The branches and tags of a mirror with the objects that they are at: https://git-scm.com/docs/gitrepository-layout. They are
 * files of our own, so that no git has to be started for them. Those that moved last come first. What is no ref is left out, and
 * links are not followed.
 */
export async function readRefs(mirror: string): Promise<Map<string, string>> {
  // First, for git moves them from here into the other file.
  const loose = [...(await readLoose(mirror, 'heads')), ...(await readLoose(mirror, 'tags'))];
  const packed = (await textOf(join(mirror, 'packed-refs'))) ?? '';
  const refs = new Map(loose);
  for (const [, sha = '', ref = ''] of packed.matchAll(PACKED)) {
    if (!refs.has(ref)) refs.set(ref, sha);
  }
  return refs;
}

/** The branch that the mirror's HEAD names, which need not be there. */
export async function readHead(mirror: string): Promise<string | undefined> {
  return /^ref: (refs\/heads\/.+)\n$/.exec((await textOf(join(mirror, 'HEAD'))) ?? '')?.[1];
}

async function readLoose(mirror: string, kind: 'heads' | 'tags'): Promise<[string, string][]> {
  const top = join(mirror, 'refs', kind);
  const found: [string, string][] = [];
  const entries = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const ref = path.slice(mirror.length + 1);
    if (!entry.isFile() || UNUSUAL.test(ref)) continue;
    const sha = (await textOf(path))?.trimEnd();
    if (isObjectName(sha)) found.push([ref, sha]);
  }
  return found;
}
