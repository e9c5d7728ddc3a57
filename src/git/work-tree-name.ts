import { randomUUID } from 'node:crypto';
import { chmod, lstat, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRealDirectory } from '../lib/discard.ts';
import type { Place } from './work-tree.ts';

/** A new one at each start of the machine: https://docs.kernel.org/admin-guide/sysctl/kernel.html#random */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Beside the tree, where steps do not look. */
const fileOf = (place: Place) => join(place.directory, 'name');

/** Gives a checkout a name when it is just as it should be. It tells this very work tree from another one of the same commit. */
export async function giveName(place: Place): Promise<string> {
  const name = `${randomUUID()}@${await bootId()}`;
  await writeFile(fileOf(place), name, { mode: 0o600, flag: 'wx' });
  return name;
}

/** Takes its name away, before anything in it is changed. */
export async function unname(place: Place): Promise<void> {
  // A step may have taken away the right to write there; the owner can give it back.
  if (await isRealDirectory(place.directory)) await chmod(place.directory, 0o700);
  await rm(fileOf(place), { recursive: true, force: true });
}

/**
 * The name of a checkout that was brought to its commit since the machine started, and in which we have changed nothing since;
 * else undefined. What was written before may not have reached the disk, and git would not see that: sizes and times may have.
 */
export async function nameOf(place: Place): Promise<string | undefined> {
  if (!(await isRealDirectory(place.directory))) return undefined;
  const file = fileOf(place);
  const status = await lstat(file).catch(() => undefined);
  // Not what a step may have put in its place: a pipe would never end.
  if (!status?.isFile() || status.size > 200) return undefined;
  const name = await readFile(file, 'utf8');
  return name.endsWith(`@${await bootId()}`) ? name : undefined;
}

/** Empty where the system does not tell. */
async function bootId(): Promise<string> {
  return (await readFile(BOOT_ID, 'utf8').catch(() => '')).trim();
}
