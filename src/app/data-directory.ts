import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { discard, discardLeftovers } from '../lib/discard.ts';
import { describeError, errorCode, hintOf, MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { letPass } from '../lib/hand-over.ts';

/**
 * Makes the data directory, this user's only; the steps' own user may pass through it. A volume of another user
 * is used as it is, and the log says so. Throws MainsheetError `data-directory`.
 */
export async function makeDataDirectory(
  config: Pick<Config, 'dataDir' | 'stepUser'>,
  logger: Logger,
): Promise<void> {
  const { dataDir: directory, stepUser } = config;
  try {
    await makeDirectories(directory);
    await keepOutOfGit(directory);
  } catch (error) {
    throw new MainsheetError('data-directory', `cannot make the data directory ${directory}`, {
      cause: error,
      hint: 'set MAINSHEET_DATA_DIR to a directory that this user may write',
    });
  }
  try {
    await chmod(directory, 0o700);
    if (stepUser !== undefined) await letPass(directory, stepUser);
  } catch (error) {
    logger.warn(
      { dataDir: directory, error: describeError(error) },
      'data directory cannot be made private; use a directory below it as MAINSHEET_DATA_DIR',
    );
  }
}

/** It has keys, and may stand in a clone of which everything is added. What cannot be written here, its owner will hear from the store. */
async function keepOutOfGit(directory: string): Promise<void> {
  await writeFile(join(directory, '.gitignore'), '*\n', { flag: 'wx' }).catch(() => undefined);
}

/**
 * Makes a directory with all above it. Node's own way (`recursive`) never ends below a directory that is there but takes none,
 * such as `/proc`, which says that the new one's place is missing.
 */
async function makeDirectories(directory: string): Promise<void> {
  const above = dirname(directory);
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' && (await stat(directory)).isDirectory()) return;
    if (code !== 'ENOENT' || above === directory) throw error;
    await makeDirectories(above);
    await mkdir(directory, { mode: 0o700 });
  }
}

/** Where runs that are under way have the files of their steps. */
export function scratchIn(dataDir: string): string {
  return join(dataDir, 'scratch');
}

/** Removes what runs of an earlier start have left. What cannot be removed is in no run's way: each run has a directory of its own. */
export async function clearScratch(dataDir: string, logger: Logger): Promise<void> {
  const failures = await discardLeftovers(dataDir);
  await discard(scratchIn(dataDir), dataDir).catch((error: Error) => failures.push(error));
  for (const error of failures) {
    logger.warn(
      { error: describeError(error), hint: hintOf(error) },
      'leftover scratch files cannot be removed',
    );
  }
}
