import { lchown, rm, writeFile } from 'node:fs/promises';
import type { Owner } from '../lib/owner.ts';

/** Writes a file in the place of whatever is there: a former attempt may have left a link to somewhere else. `owner`: gets it. */
export async function writeNew(
  path: string,
  content: string | Buffer,
  owner?: Owner,
): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content, { mode: 0o600, flag: 'wx' });
  if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
}
