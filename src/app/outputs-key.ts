import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEAL_KEY_BYTES } from '../lib/seal.ts';

/**
 * The key that outputs with secrets in them are sealed with while their run goes on: in the data directory, not in the
 * database, and only this user's. Made when there is none; one that is damaged is replaced, and what it sealed is put out again.
 */
export async function outputsKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, 'outputs.key');
  const key = await readFile(path).catch(unlessMissing);
  if (key?.length === SEAL_KEY_BYTES) return key;
  const made = randomBytes(SEAL_KEY_BYTES);
  await writeFile(`${path}.new`, made, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return made;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
