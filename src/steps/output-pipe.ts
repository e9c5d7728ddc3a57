import { execFile } from 'node:child_process';
import { constants, fchownSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MainsheetError } from '../lib/errors.ts';
import type { SystemUser } from '../lib/hand-over.ts';
import { createRelease, forwardBoth, type ProgramOutput } from './output-text.ts';

/** `mkfifo` is a program: pipes for so many steps are made by one. */
const STEPS_AT_ONCE = 8;

/**
 * Opens two pipes, by names in `directory` that are removed at once. Node's own pipes to child processes are sockets,
 * and a socket cannot be opened again through `/dev/stdout` or `/dev/stderr`, as many scripts do.
 * That only their owner may do, which is `user` when there is one.
 * Throws MainsheetError `step-pipes` when there is no `mkfifo` or the directory cannot hold pipes.
 */
export type OpenOutputPipes = (directory: string, user?: SystemUser) => Promise<ProgramOutput>;

export function createOutputPipes(): OpenOutputPipes {
  /** Open already, and without names. */
  const spare: Ends[] = [];
  return async (directory, user) => {
    if (spare.length < 2) {
      for (const path of await makePipes(directory)) spare.push(openPipe(path));
    }
    const [stdout, stderr] = spare.splice(0, 2);
    if (stdout === undefined || stderr === undefined) throw new TypeError('there are no pipes');
    return outputOf(pipeOf(stdout, user), pipeOf(stderr, user));
  };
}

async function makePipes(directory: string): Promise<string[]> {
  const paths = Array.from({ length: 2 * STEPS_AT_ONCE }, (_, index) =>
    join(directory, `pipe-${index}`),
  );
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
  } catch (error) {
    throw new MainsheetError('step-pipes', 'the pipes for the output could not be made', {
      cause: error,
      hint: 'install mkfifo (coreutils or busybox) and keep the data directory on a local file system',
    });
  }
  return paths;
}

function outputOf(stdout: Pipe, stderr: Pipe): ProgramOutput {
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

/** File descriptors. */
interface Ends {
  reading: number;
  writing: number;
}

function openPipe(path: string): Ends {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  // The reading end first: opening the writing end waits for a reader.
  const reading = openSync(path, O_RDONLY | O_NONBLOCK);
  const writing = openSync(path, O_WRONLY);
  unlinkSync(path);
  return { reading, writing };
}

function pipeOf({ reading, writing }: Ends, user: SystemUser | undefined): Pipe {
  if (user !== undefined) fchownSync(reading, user.uid, user.gid);
  const reader = new Socket({ fd: reading, readable: true, writable: false });
  return { reader, writer: writing, release: createRelease(writing) };
}
