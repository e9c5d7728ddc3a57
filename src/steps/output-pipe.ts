import { execFile } from 'node:child_process';
import { closeSync, constants, fchownSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MainsheetError } from '../lib/errors.ts';
import { createFairTurn } from '../lib/fair-turn.ts';
import type { Owner } from '../lib/owner.ts';

/** Text is handed on in pieces of this length: masking one may take some milliseconds. */
const PIECE = 2048;

/** Two pipes for what a program prints. */
export interface OutputPipes {
  /** File descriptors for the program. */
  stdout: number;
  stderr: number;
  /** To be called once the program has them: from then on only the program and its descendants keep the pipes open. */
  handedOver(): void;
  /** Calls `log` with decoded text as it comes; resolves when no process has the pipes open any more, or after `close`. */
  forward(log: (stream: 'stdout' | 'stderr', text: string) => void): Promise<void>;
  /** Closes whatever is open; what is still in the pipes is dropped. */
  close(): void;
}

/**
 * Opens two named pipes in `directory` and removes their names at once. Node's own pipes to child processes are sockets,
 * and a socket cannot be opened again through `/dev/stdout` or `/dev/stderr`, as many scripts do.
 * That only their owner may do, which is `user` when there is one.
 * Throws MainsheetError `step-pipes` when there is no `mkfifo` or the directory cannot hold pipes.
 */
export async function openOutputPipes(directory: string, user?: Owner): Promise<OutputPipes> {
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

  async function forward(
    pipe: Pipe,
    stream: 'stdout' | 'stderr',
    log: (stream: 'stdout' | 'stderr', text: string) => void,
  ): Promise<void> {
    const decoder = new StringDecoder('utf8');
    const turn = createFairTurn();
    try {
      const chunks: AsyncIterable<Buffer> = pipe.reader;
      for await (const chunk of chunks) {
        const text = decoder.write(chunk);
        for (const piece of piecesOf(text)) {
          log(stream, piece);
          await turn();
        }
        // A program that prints without end must not keep the process from everything else.
        await nextTurn();
      }
    } catch (error) {
      if (!closed) throw error;
    }
    const rest = decoder.end();
    if (rest !== '') log(stream, rest);
  }

  return {
    stdout: stdout.writer,
    stderr: stderr.writer,
    handedOver() {
      stdout.release();
      stderr.release();
    },
    async forward(log) {
      await Promise.all([forward(stdout, 'stdout', log), forward(stderr, 'stderr', log)]);
    },
    close() {
      closed = true;
      for (const pipe of [stdout, stderr]) {
        pipe.release();
        pipe.reader.destroy();
      }
    },
  };
}

/** Each of whole characters. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    const end = start + PIECE;
    const isCut = (text.codePointAt(end - 1) ?? 0) > 0xffff;
    const piece = text.slice(start, isCut ? end + 1 : end);
    yield piece;
    start += piece.length;
  }
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
  let released = false;
  return {
    reader: new Socket({ fd, readable: true, writable: false }),
    writer,
    release() {
      if (!released) closeSync(writer);
      released = true;
    },
  };
}
