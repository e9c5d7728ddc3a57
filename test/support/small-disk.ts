import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A file system of its own that is mounted where only those see it who enter. */
export interface SmallDisk {
  /** Where it is for those who have entered. */
  directory: string;
  /** Where it is for everybody else. */
  outside: string;
  /** Put before a command, makes it enter. */
  enter: readonly string[];
  /** Leaves room for nothing, not for a byte. */
  fill(): Promise<void>;
  makeRoom(): Promise<void>;
  /** Ends the processes that keep it; it is gone with the last one in it. */
  remove(): Promise<void>;
}

/** As root, and as another user where the kernel lets all have a namespace of users. */
const WAYS = [
  { unshare: ['--mount'], nsenter: ['--mount'] },
  {
    unshare: ['--mount', '--user', '--map-root-user'],
    nsenter: ['--mount', '--user', '--preserve-credentials'],
  },
];

/** Mounts it over an empty directory, and stays until its standard input is closed. */
const KEEP = 'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$0" && echo mounted && exec cat';

/**
 * Mounts a file system of `size` (`16m`) over `directory`, in a namespace of its own, so that nothing is left behind
 * whatever becomes of the test. Undefined where neither root nor the kernel allows it.
 */
export async function mountSmallDisk(
  directory: string,
  size: string,
): Promise<SmallDisk | undefined> {
  for (const way of WAYS) {
    const keeper = spawn('unshare', [...way.unshare, '/bin/sh', '-c', KEEP, directory, size], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    keeper.on('error', () => undefined);
    const closed = once(keeper, 'close');
    const [line] = (await Promise.race([
      once(createInterface({ input: keeper.stdout }), 'line'),
      closed.catch(() => []),
    ])) as unknown[];
    if (line !== 'mounted') continue;

    const outside = `/proc/${keeper.pid}/root${directory}`;
    const ballast = `${outside}/ballast`;
    return {
      directory,
      outside,
      enter: ['nsenter', `--target=${keeper.pid}`, ...way.nsenter, '--'],
      fill: () => writeUntilFull(ballast),
      makeRoom: () => rm(ballast, { force: true }),
      async remove() {
        keeper.stdin.end();
        await closed;
      },
    };
  }
  return undefined;
}

/** Why a test that needs it has to be left out; false when it can run. */
export async function cannotMount(): Promise<string | false> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-mount-'));
  const disk = await mountSmallDisk(directory, '1m');
  await disk?.remove();
  await rm(directory, { recursive: true });
  return disk === undefined && 'needs Linux, and root or namespaces of users, to mount a disk';
}

async function writeUntilFull(file: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    const page = Buffer.alloc(4096, 'x');
    for (;;) await handle.write(page);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await handle.close();
  }
}
