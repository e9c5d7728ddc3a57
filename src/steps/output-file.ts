import { constants, ftruncateSync, openSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { createRelease, forwardBoth, type ProgramOutput } from './output-text.ts';

/** Of each of the two. More than a log takes. */
const MOST_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const POLL_MS = 100;

/**
 * Opens two files in `directory` that a program prints to and this process follows. A program that prints to a pipe dies at its next
 * line when this process dies; one that prints to a file goes on. What is beyond `mostBytes` of a file is dropped, and the program is
 * not stopped: the file has at most twice that, as long as this process is there to look.
 */
export async function openOutputFiles(
  directory: string,
  clock: Pick<Clock, 'sleep'>,
  mostBytes = MOST_BYTES,
): Promise<ProgramOutput> {
  const stdout = await openFile(join(directory, 'stdout'));
  const stderr = await openFile(join(directory, 'stderr'));
  const files = [stdout, stderr];
  const over = new AbortController();
  let closed = false;

  /** Ends with what the file has after the program's end. */
  async function* follow(file: OutputFile): AsyncGenerator<Buffer> {
    let at = 0;
    for (;;) {
      const isOver = over.signal.aborted;
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, mostBytes - at));
      const { bytesRead } = await file.reader.read(buffer, 0, buffer.length, at);
      at += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      const { size } = await file.reader.stat();
      if (size > 2 * mostBytes) file.cut(mostBytes);
      if (bytesRead > 0) continue;
      if (isOver) return;
      await clock.sleep(POLL_MS, over.signal);
    }
  }

  return {
    stdout: stdout.writer,
    stderr: stderr.writer,
    handedOver: () => files.forEach((file) => file.release()),
    forward: (log) =>
      forwardBoth({ stdout: follow(stdout), stderr: follow(stderr) }, log, () => closed),
    ended: () => over.abort(),
    close() {
      closed = true;
      over.abort();
      for (const file of files) file.close();
    },
  };
}

interface OutputFile {
  reader: FileHandle;
  writer: number;
  /** Keeps its first bytes. */
  cut(bytes: number): void;
  /** Closes the writing end here. */
  release(): void;
  close(): void;
}

async function openFile(path: string): Promise<OutputFile> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  // A former command of the step has left its own.
  await rm(path, { force: true });
  const writer = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0o600);
  const reader = await open(path, O_RDWR | O_NOFOLLOW);
  const release = createRelease(writer);
  return {
    reader,
    writer,
    cut: (bytes) => ftruncateSync(reader.fd, bytes),
    release,
    close() {
      release();
      // What still reads it is told by an error, which is no news after the end.
      void reader.close().catch(() => undefined);
    },
  };
}
