import { randomUUID } from 'node:crypto';
import { chmod, lstat, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRealDirectory, isUsableDirectory } from './discard.ts';
import type { Place } from './work-tree.ts';

/** A new one at each start of the machine: https://docs.kernel.org/admin-guide/sysctl/kernel.html#random */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

const fileOf = (place: Place) => join(place.directory, 'name');

/**
 * Gives a checkout a name, when it is just as it should be. Whoever knows it can tell later that this very work tree, and
 * not another one of the same commit, is still there. Beside the tree, where steps do not look.
 */
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
 * Whether it was brought to its commit since the machine started, and nothing of ours was changed in it since. What was
 * written before may not have reached the disk, and git would not see that: sizes and times may have.
 */
export async function hasName(place: Place): Promise<boolean> {
  if (!(await isRealDirectory(place.directory))) return false;
  return (await readName(fileOf(place)))?.endsWith(`@${await bootId()}`) ?? false;
}

/**
 * Whether the checkout has this name. Not after the machine has started anew: what steps had written may not have reached
 * the disk.
 */
export async function isNamed(place: Place, name: string): Promise<boolean> {
  if (!name.endsWith(`@${await bootId()}`)) return false;
  // Also one that was handed over: nothing of ours is done in it, its own run goes on there.
  for (const part of [place.directory, place.git, place.tree]) {
    if (!(await isUsableDirectory(part))) return false;
  }
  return (await readName(fileOf(place))) === name;
}

/** Undefined too for what a step may have put in its place: a pipe would never end. */
async function readName(file: string): Promise<string | undefined> {
  const status = await lstat(file).catch(() => undefined);
  if (!status?.isFile() || status.size > 200) return undefined;
  return await readFile(file, 'utf8');
}

/** Empty where the system does not tell. */
async function bootId(): Promise<string> {
  return (await readFile(BOOT_ID, 'utf8').catch(() => '')).trim();
}
