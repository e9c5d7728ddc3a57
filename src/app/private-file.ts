import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file that is this user's alone: whole or not at all, also when the power fails. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const unfinished = `${file}.new`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    await makePrivate(handle);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
  const directory = await open(dirname(file), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** There are disks that keep no modes: throws an Error when others can read the file all the same. */
export async function makePrivate(handle: FileHandle): Promise<void> {
  await handle.chmod(0o600);
  const { mode } = await handle.stat();
  if ((mode & 0o077) !== 0) throw new Error('others can read it, whatever its mode is set to');
}
