import { randomBytes } from 'node:crypto';
import { constants, open, type FileHandle } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { adminTokenFile, isToken } from '../config/admin-token-file.ts';
import { SHORTEST_SAFE_SECRET } from '../config/webhook-secrets.ts';
import { errorCode, MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { makePrivate, writePrivate } from './private-file.ts';

/**
 * The API's token: the one that is set, else the one in the data directory, which is made at the first start. Its file is
 * this user's alone, so that no step of another user reads it. Only for the holder of the data directory's lock. Throws
 * MainsheetError `admin-token`.
 */
export async function openAdminToken(
  config: Pick<Config, 'adminToken' | 'dataDir'>,
  logger: Logger,
): Promise<string> {
  if (config.adminToken !== undefined) return config.adminToken;
  const file = adminTokenFile(config.dataDir);
  try {
    const token = (await kept(file)) ?? (await make(file));
    logger.info({ file }, 'the admin token is in a file, because MAINSHEET_ADMIN_TOKEN is not set');
    return token;
  } catch (error) {
    throw new MainsheetError('admin-token', `cannot keep an admin token in ${file}`, {
      cause: error,
      hint: 'set MAINSHEET_ADMIN_TOKEN, or remove that file, so that it is made again',
    });
  }
}

async function kept(file: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (!(await handle.stat()).isFile()) throw new Error('it is not a regular file');
    await makePrivate(handle);
    const token = (await handle.readFile('utf8')).trim();
    if (!isToken(token)) throw new Error('what it holds is no token');
    if (token.length < SHORTEST_SAFE_SECRET) throw new Error('what it holds can be guessed');
    return token;
  } finally {
    await handle.close();
  }
}

/** An empty token must never be one. */
async function make(file: string): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await writePrivate(file, `${token}\n`);
  return token;
}
