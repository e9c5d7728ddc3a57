/** Bytes that a user's shell may print before the program answers. */
const MOST_NOISE = 64 * 1024;
/** Bytes of a line of the answer. */
const MOST_LINE = 4096;

/** How a machine says that a script is over. */
export type End =
  | { kind: 'exit'; status: number }
  /** It has ended, or was ended, without an exit status. */
  | { kind: 'gone'; why: string }
  /** It was not begun. */
  | { kind: 'refused'; why: string };

/** Output of a script, up to byte `at` of it. */
interface Piece {
  text: string;
  at: number;
}

/** What a machine tells of a script in the form that `followInput` says. */
export interface Frames {
  /** What is new with this chunk. Throws RangeError for what is no answer. */
  read(chunk: Buffer): { o?: Piece; e?: Piece; end?: End };
  isGreeted(): boolean;
}

/** `from`: the bytes of each stream that are known already, whole characters. */
export function createFrames(greeting: string, from: { o: number; e: number }): Frames {
  const streams = { o: createStream(from.o), e: createStream(from.e) };
  let held: Buffer = Buffer.alloc(0);
  let isGreeted = false;
  /** Of the output that comes. */
  let coming: { stream: 'o' | 'e'; left: number } = { stream: 'o', left: 0 };

  return {
    isGreeted: () => isGreeted,
    read(chunk) {
      held = Buffer.concat([held, chunk]);
      isGreeted ||= greet();
      if (!isGreeted) return {};
      let end: End | undefined;
      while (held.length > 0 && end === undefined) {
        if (coming.left > 0) {
          const bytes = held.subarray(0, coming.left);
          held = held.subarray(bytes.length);
          coming.left -= bytes.length;
          streams[coming.stream].push(bytes);
          continue;
        }
        const at = held.indexOf('\n');
        if (at < 0 && held.length > MOST_LINE) throw new RangeError(NO_ANSWER);
        if (at < 0) break;
        const line = readLine(held.toString('utf8', 0, at));
        held = held.subarray(at + 1);
        if ('left' in line) coming = line;
        else end = line;
      }
      const isOver = end !== undefined;
      return {
        ...streams.o.take('o', isOver),
        ...streams.e.take('e', isOver),
        ...(end === undefined ? {} : { end }),
      };
    },
  };

  function greet(): boolean {
    const at = held.indexOf(greeting);
    if (at < 0 && held.length > MOST_NOISE) throw new RangeError('its shell prints without end');
    if (at >= 0) held = held.subarray(at + greeting.length);
    return at >= 0;
  }
}

const NO_ANSWER = 'it answers otherwise than its shell was told';

function readLine(line: string): End | { stream: 'o' | 'e'; left: number } {
  const [, letter, rest = ''] = /^([oexgr]) (.*)$/.exec(line) ?? [];
  if (letter === 'g') return { kind: 'gone', why: rest };
  if (letter === 'r') return { kind: 'refused', why: rest };
  if (!/^\d{1,12}$/.test(rest)) throw new RangeError(NO_ANSWER);
  if (letter === 'x') return { kind: 'exit', status: Number(rest) };
  return { stream: letter === 'o' ? 'o' : 'e', left: Number(rest) };
}

/** The text of a stream's bytes: a character that has not come whole waits for its rest. */
function createStream(from: number) {
  let at = from;
  let bytes: Buffer = Buffer.alloc(0);
  return {
    push: (more: Buffer) => void (bytes = Buffer.concat([bytes, more])),
    take<Name extends 'o' | 'e'>(name: Name, isOver: boolean): { [_ in Name]?: Piece } {
      const length = isOver ? bytes.length : wholeLength(bytes);
      if (length === 0) return {};
      const text = bytes.toString('utf8', 0, length);
      bytes = bytes.subarray(length);
      at += length;
      return { [name]: { text, at } } as { [_ in Name]?: Piece };
    },
  };
}

/** Bytes of UTF-8 without a character at their end of which some are missing. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
