import { randomBytes } from 'node:crypto';
import { lchownSync, lstatSync } from 'node:fs';
import { chmod, lchown, lstat, mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorCode } from './errors.ts';

/** As whom something is done, or to whom a file belongs. */
export interface SystemUser {
  uid: number;
  gid: number;
}

/** How many files change hands before other work gets its turn. */
const AT_ONCE = 256;

/**
 * Makes a directory of our own if need be, in one of ours. No other user may use it; with `guest`, the guest's group may
 * pass through to what it knows by name, and neither list nor change anything.
 */
export async function makeOwn(path: string, guest: SystemUser | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (guest !== undefined) await letPass(path, guest);
}

/** Lets the guest's group pass through a directory of our own, which lies in one of ours. */
export async function letPass(path: string, guest: SystemUser): Promise<void> {
  await lchown(path, -1, guest.gid);
  await chmod(path, 0o710);
}

/**
 * Gives `path` with everything below it to `user`, links themselves and never what they point to. It has to be ours
 * alone until then. A directory changes hands after its content, so that the new owner cannot put a link in the way of
 * what is still to come. A file with several names stays ours and must be given one by one: one of its names may be elsewhere.
 */
export async function handOver(path: string, user: SystemUser): Promise<void> {
  for (const [index, entry] of (await readdir(path, { withFileTypes: true })).entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) await nextTurn();
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await handOver(inner, user);
    else if (lstatSync(inner).nlink === 1) lchownSync(inner, user.uid, user.gid);
  }
  lchownSync(path, user.uid, user.gid);
}

/** In bytes, well below what the system takes as a path: https://man7.org/linux/man-pages/man3/realpath.3.html */
const LONGEST_PATH = 2048;

/**
 * Makes all directories at and below `path` ours and usable, from the top down: what is inside of a directory is looked at
 * when no other user can change it any more, so that no link can lead elsewhere. `path` itself has to lie in a
 * directory of ours; it may be gone or no directory. Files keep their owners: who has the directory can remove them.
 * Directories that lie too deep to be named by a path are moved up into `path`, so that all of it can be removed afterwards.
 * Empty ones are removed: to try that with each tells where something is mounted, a directory of the same file system too, and there
 * it stops. `remove` is for tests, which cannot mount.
 */
export async function takeBack(path: string, remove: typeof rmdir = rmdir): Promise<void> {
  const top = Buffer.from(path);
  await take(top);

  async function take(directory: Buffer): Promise<void> {
    try {
      if (await isGoneOrMounted(directory)) return;
      if (!(await makeUsable(directory))) return;
      const entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
      for (const entry of entries) {
        if (!entry.isDirectory()) continue;
        const inner = below(directory, entry.name);
        await take(inner.length > LONGEST_PATH ? await moveUp(inner) : inner);
      }
    } catch (error) {
      // Another process may be removing it at the same time.
      const code = errorCode(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }

  async function isGoneOrMounted(directory: Buffer): Promise<boolean> {
    try {
      await remove(directory);
      return true;
    } catch (error) {
      return errorCode(error) === 'EBUSY';
    }
  }

  async function moveUp(directory: Buffer): Promise<Buffer> {
    // Only who may write to a directory may move it elsewhere.
    await makeUsable(directory);
    const place = below(top, Buffer.from(`.deep-${randomBytes(8).toString('hex')}`));
    await rename(directory, place);
    return place;
  }
}

/** False for what is no directory. */
async function makeUsable(path: Buffer): Promise<boolean> {
  const status = await lstat(path);
  if (!status.isDirectory()) return false;
  const uid = process.geteuid?.() ?? status.uid;
  if (status.uid !== uid) await lchown(path, uid, process.getegid?.() ?? status.gid);
  // Takes away too what an access control list gives to others.
  await chmod(path, 0o700);
  return true;
}

/** Names need not be valid Unicode. */
function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
