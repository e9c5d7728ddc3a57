import { lchown, rm, writeFile } from 'node:fs/promises';
import type { SystemUser } from '../lib/hand-over.ts';

/** Writes a file in the place of whatever is there: a former attempt may have left a link to somewhere else. `user`: gets it. */
export async function writeNew(
  path: string,
  content: string | Buffer,
  user?: SystemUser,
): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content, { mode: 0o600, flag: 'wx' });
  if (user !== undefined) await lchown(path, user.uid, user.gid);
}
