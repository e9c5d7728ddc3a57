import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** What is too large to be held in memory before it is known to be wanted. */
export interface Spool {
  write(chunk: Uint8Array): Promise<void>;
  /** All that was written. */
  read(): Promise<Buffer>;
  close(): Promise<void>;
}

/** A file in `directory` that has no name any more, so that nothing is left of it when the process ends, however it does. */
export async function openSpool(directory: string): Promise<Spool> {
  const path = join(directory, `body-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
  } catch (error) {
    await file.close();
    throw error;
  }
  let size = 0;
  return {
    async write(chunk) {
      await writeAll(file, chunk, size);
      size += chunk.length;
    },
    async read() {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
      if (bytesRead !== size) throw new Error(`${bytesRead} of ${size} bytes could be read back`);
      return buffer;
    },
    close: () => file.close(),
  };
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}
