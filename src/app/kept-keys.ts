import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEAL_KEY_BYTES } from '../lib/seal.ts';

/**
 * The key that outputs with secrets in them are sealed with while their run goes on: in the data directory, not in the
 * database, and only this user's. Made when there is none; one that is damaged is replaced, and what it sealed is put out again.
 */
export const outputsKey = (dataDir: string): Promise<Buffer> =>
  keptKey(join(dataDir, 'outputs.key'));

/** The key that the secrets of hooks follow from which are made through the API: kept in the same way. */
export const hooksKey = (dataDir: string): Promise<Buffer> => keptKey(join(dataDir, 'hooks.key'));

async function keptKey(path: string): Promise<Buffer> {
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
