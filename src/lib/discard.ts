import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, errorCode, TerminalError } from './errors.ts';
import { takeBack } from './hand-over.ts';

/** Marks directories that are not ready yet, or on their way out. No other name in our directories starts with a dot. */
const NEW_PREFIX = '.new-';
const OLD_PREFIX = '.old-';

/** A name in `directory` for something that is being made; a crash leaves it behind for `discardLeftovers`. */
export function placeForNew(directory: string): string {
  return join(directory, `${NEW_PREFIX}${randomBytes(8).toString('hex')}`);
}

/**
 * Removes whatever is at `path`: a directory, a file, or a symbolic link (never what it points to); nothing happens when
 * there is nothing. It is moved into `trash` (same file system) first: `path` is free even when this then rejects because
 * something in it cannot be removed, and no process meets a half-removed directory. What is mounted in it is left as it is, and it
 * rejects with TerminalError `mounted`.
 */
export async function discard(path: string, trash: string): Promise<void> {
  const out = join(trash, `${OLD_PREFIX}${randomBytes(8).toString('hex')}`);
  try {
    await rename(path, out).catch(async (error: unknown) => {
      // Only who may write to a directory may move it elsewhere, and a step may have changed that.
      if (errorCode(error) !== 'EACCES') throw error;
      if (isRealDirectory(path)) await chmod(path, 0o700);
      await rename(path, out);
    });
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await removeAll(out);
}

/**
 * Makes `directory` if need be and removes from it what a crash left half made or half removed. Returns why something
 * could not be removed. Only while nothing is being made or discarded there.
 */
export async function discardLeftovers(directory: string): Promise<Error[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const failures: Error[] = [];
  for (const name of await readdir(directory)) {
    if (!name.startsWith(NEW_PREFIX) && !name.startsWith(OLD_PREFIX)) continue;
    await removeAll(join(directory, name)).catch((error: Error) => failures.push(error));
  }
  return failures;
}

/** Whether `path` is a directory itself, not a link to one. */
export function isRealDirectory(path: string): boolean {
  return modeOfDirectory(path) !== undefined;
}

/** Whether `path` is a directory itself, and its owner has all rights to it. */
export function isUsableDirectory(path: string): boolean {
  return (modeOfDirectory(path) ?? 0) >= 0o700;
}

/** The rights to a directory, three octal digits; undefined when there is none, or a link to one; 0 when they cannot be known. */
function modeOfDirectory(path: string): number | undefined {
  try {
    const status = lstatSync(path);
    return status.isDirectory() ? status.mode & 0o777 : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (errorCode(error) === 'EACCES') return 0;
    throw error;
  }
}

async function removeAll(path: string): Promise<void> {
  // Root could remove anything, so a step of another user, still running, must not be able to say what.
  if (process.geteuid?.() === 0) await takeBack(path);
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // A step may have taken away its own rights to a directory; the owner can give them back.
    await takeBack(path);
    // What the first attempt had begun may still be going on: hence the retries.
    await rm(path, { recursive: true, force: true, maxRetries: 5 }).catch((error: unknown) => {
      throw sayMounted(error);
    });
  }
}

/** What to say of what could not be removed from a directory. */
function sayMounted(error: unknown): unknown {
  if (errorCode(error) !== 'EBUSY') return error;
  return new TerminalError('mounted', `something is mounted there: ${describeError(error)}`, {
    cause: error,
    hint: 'unmount it, as it was left as it is; what is around it is removed at the next start',
  });
}

function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
