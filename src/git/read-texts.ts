import type { Mirror } from './mirror.ts';

/** A file of a commit: its text, or why it has none that can be read. */
export type FileText = { text: string } | { problem: 'too large' | 'no file' | 'not UTF-8' };

const LIST_TREE = 'ls-tree -r -l -z --full-tree --end-of-options'.split(' ');
/** `100644 blob <name> <size>\t<path>` */
const ENTRY = /^(\d{6}) (\w+) ([0-9a-f]{40}) +(\d+|-)\t(.+)$/s;

/**
 * The texts of these files as a commit has them, read from its objects: nothing is checked out, and no filter, link or attribute of
 * the repository counts. What is not among them is not in the commit. `maxBytes` of one file.
 */
export async function readTexts(
  mirror: Mirror,
  sha: string,
  paths: readonly string[],
  maxBytes: number,
): Promise<Map<string, FileText>> {
  await mirror.ensure(sha);
  const wanted = new Set(paths);
  const found = new Map<string, FileText>();
  const listed = (await mirror.git([...LIST_TREE, sha])).stdout.toString();
  for (const line of listed.split('\0')) {
    const [, mode = '', , object = '', size = '', path = ''] = ENTRY.exec(line) ?? [];
    if (!wanted.has(path)) continue;
    // The rest are links and submodules.
    if (!mode.startsWith('100')) found.set(path, { problem: 'no file' });
    else if (Number(size) > maxBytes) found.set(path, { problem: 'too large' });
    else found.set(path, await textOf(mirror, object));
  }
  return found;
}

async function textOf(mirror: Mirror, object: string): Promise<FileText> {
  const { stdout } = await mirror.git(['cat-file', 'blob', object]);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(stdout) };
  } catch {
    return { problem: 'not UTF-8' };
  }
}
