import { closeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFairTurn } from '../lib/fair-turn.ts';

/** Text is handed on in pieces of this length: masking one may take some milliseconds. */
const PIECE = 2048;

/** Where a program prints to. */
export interface ProgramOutput {
  /** File descriptors for the program. */
  stdout: number;
  stderr: number;
  /** To be called once the program has them: from then on only the program and its descendants keep them open. */
  handedOver(): void;
  /** Calls `log` with decoded text as it comes; resolves when no more can come, or after `close`. */
  forward(log: (stream: 'stdout' | 'stderr', text: string) => void): Promise<void>;
  /** To be called once the program has ended: what a file has then is all that comes of it. */
  ended(): void;
  /** Closes whatever is open; what was not read yet is dropped. */
  close(): void;
}

/** Calls `log` with the text of `chunks`, in pieces of whole characters. Throws what `chunks` throws, unless `isClosed` by then. */
async function forwardText(
  chunks: AsyncIterable<Buffer>,
  log: (text: string) => void,
  isClosed: () => boolean,
): Promise<void> {
  const decoder = new StringDecoder('utf8');
  const turn = createFairTurn();
  try {
    for await (const chunk of chunks) {
      for (const piece of piecesOf(decoder.write(chunk))) {
        log(piece);
        await turn();
      }
      // A program that prints without end must not keep the process from everything else.
      await nextTurn();
    }
  } catch (error) {
    if (!isClosed()) throw error;
  }
  const rest = decoder.end();
  if (rest !== '') log(rest);
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

/** Both streams, as `ProgramOutput.forward` has it. */
export async function forwardBoth(
  chunks: Record<'stdout' | 'stderr', AsyncIterable<Buffer>>,
  log: (stream: 'stdout' | 'stderr', text: string) => void,
  isClosed: () => boolean,
): Promise<void> {
  await Promise.all([
    forwardText(chunks.stdout, (text) => log('stdout', text), isClosed),
    forwardText(chunks.stderr, (text) => log('stderr', text), isClosed),
  ]);
}

/** Closes a file descriptor, once. */
export function createRelease(descriptor: number): () => void {
  let released = false;
  return () => {
    if (!released) closeSync(descriptor);
    released = true;
  };
}
