import { randomUUID } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRealDirectory } from '../lib/discard.ts';
import { textOf } from './git-directory.ts';
import type { Place } from './work-tree.ts';

/** A new one at each start of the machine: https://docs.kernel.org/admin-guide/sysctl/kernel.html#random */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Beside the tree, where steps do not look. */
const fileOf = (place: Place) => join(place.directory, 'name');

/** Gives a checkout a name when it is just as it should be. It tells this very work tree from another one of the same commit. */
export function giveName(place: Place): string {
  const name = `${randomUUID()}@${bootId()}`;
  writeFileSync(fileOf(place), name, { mode: 0o600, flag: 'wx' });
  return name;
}

/** Takes its name away, before anything in it is changed. */
export async function unname(place: Place): Promise<void> {
  // A step may have taken away the right to write there; its owner can give it back.
  if (isRealDirectory(place.directory)) chmodSync(place.directory, 0o700);
  await rm(fileOf(place), { recursive: true, force: true });
}

/**
 * The name of a checkout that was brought to its commit since the machine started, and in which we have changed nothing since;
 * else undefined. What was written before may not have reached the disk, and git would not see that: sizes and times may have.
 */
export function nameOf(place: Place): string | undefined {
  const name = isRealDirectory(place.directory) ? textOf(fileOf(place), 200) : undefined;
  return name?.endsWith(`@${bootId()}`) === true ? name : undefined;
}

/** Empty where the system does not tell. */
function bootId(): string {
  return (textOf(BOOT_ID) ?? '').trim();
}
