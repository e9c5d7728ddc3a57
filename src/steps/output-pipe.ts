import { execFile } from 'node:child_process';
import { constants, fchownSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MainsheetError } from '../lib/errors.ts';
import type { Owner } from '../lib/owner.ts';
import { createRelease, forwardBoth, type ProgramOutput } from './output-text.ts';

/**
 * Opens two named pipes in `directory` and removes their names at once. Node's own pipes to child processes are sockets,
 * and a socket cannot be opened again through `/dev/stdout` or `/dev/stderr`, as many scripts do.
 * That only their owner may do, which is `user` when there is one.
 * Throws MainsheetError `step-pipes` when there is no `mkfifo` or the directory cannot hold pipes.
 */
export async function openOutputPipes(directory: string, user?: Owner): Promise<ProgramOutput> {
  const paths = { stdout: join(directory, 'stdout'), stderr: join(directory, 'stderr') };
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', paths.stdout, paths.stderr]);
  } catch (error) {
    throw new MainsheetError('step-pipes', 'the pipes for the output could not be made', {
      cause: error,
      hint: 'install mkfifo (coreutils or busybox) and keep the data directory on a local file system',
    });
  }
  const stdout = openPipe(paths.stdout, user);
  const stderr = openPipe(paths.stderr, user);
  let closed = false;

  return {
    stdout: stdout.writer,
    stderr: stderr.writer,
    handedOver() {
      stdout.release();
      stderr.release();
    },
    forward: (log) =>
      forwardBoth({ stdout: stdout.reader, stderr: stderr.reader }, log, () => closed),
    // A pipe ends by itself.
    ended() {},
    close() {
      closed = true;
      for (const pipe of [stdout, stderr]) {
        pipe.release();
        pipe.reader.destroy();
      }
    },
  };
}

interface Pipe {
  reader: Socket;
  writer: number;
  /** Closes the writing end here. */
  release(): void;
}

function openPipe(path: string, user: Owner | undefined): Pipe {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  // The reading end first: opening the writing end waits for a reader.
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  const writer = openSync(path, O_WRONLY);
  unlinkSync(path);
  if (user !== undefined) fchownSync(fd, user.uid, user.gid);
  const reader = new Socket({ fd, readable: true, writable: false });
  return { reader, writer, release: createRelease(writer) };
}
