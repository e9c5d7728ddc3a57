const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;
const DEFAULT_TAIL_BYTES = 64 * 1024;
/** Pieces are put together up to this many bytes, so that a program that prints bytewise makes few of them. */
const SMALL_PIECE = 4096;

/** Bounds a log. Sizes are bytes of UTF-8. */
export interface LogLimit {
  /** What of `text` belongs into the log now: all of it up to the bound, then nothing. */
  push(text: string): string;
  /** To be called once, at the end: where text was left out a line that says how much, then the end of the log. */
  flush(): string;
}

/**
 * Keeps the first `maxBytes` (default 10 MiB) of a run's log as they come and of the rest only the last `tailBytes`
 * (default 64 KiB), because the error is usually at the end. Memory is bounded by `tailBytes` and the longest piece.
 * Mask before it, not behind it: it may cut a secret in two.
 */
export function createLogLimit(options: { maxBytes?: number; tailBytes?: number } = {}): LogLimit {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const tailBytes = options.tailBytes ?? DEFAULT_TAIL_BYTES;
  let room = maxBytes;
  let open = true;
  let atLineStart = true;
  let omitted = 0;
  let tail: Piece[] = [];
  let tailLength = 0;

  return {
    push(text) {
      if (text === '') return '';
      const bytes = Buffer.byteLength(text);
      const head = !open ? '' : bytes <= room ? text : cutToBytes(text, room);
      if (head !== '') {
        room -= Buffer.byteLength(head);
        atLineStart = head.endsWith('\n');
      }
      if (head.length < text.length) {
        open = false;
        keep(text.slice(head.length));
      }
      return head;
    },
    flush() {
      const end = lastOf(tail.map((piece) => piece.text).join(''), tailBytes);
      const left = omitted + tailLength - Buffer.byteLength(end);
      if (left === 0) return end;
      // It starts somewhere inside a line: what is left of that line goes too, unless it is all there is.
      const lineEnd = end.indexOf('\n') + 1;
      const rest = lineEnd < end.length ? end.slice(lineEnd) : end;
      const missing = left + Buffer.byteLength(end) - Buffer.byteLength(rest);
      const mark = `… ${size(missing)} of output left out: the log is limited to ${size(maxBytes)} and its end …`;
      return `${atLineStart ? '' : '\n'}${mark}\n${rest}`;
    },
  };

  /** Adds to the tail and drops what is older than it by whole pieces. */
  function keep(text: string): void {
    const bytes = Buffer.byteLength(text);
    const last = tail.at(-1);
    if (last !== undefined && last.bytes + bytes <= SMALL_PIECE) {
      last.text += text;
      last.bytes += bytes;
    } else {
      tail.push({ text, bytes });
    }
    tailLength += bytes;
    for (let [first] = tail; first !== undefined; [first] = tail) {
      if (tailLength - first.bytes < tailBytes) break;
      tail = tail.slice(1);
      tailLength -= first.bytes;
      omitted += first.bytes;
    }
  }
}

interface Piece {
  text: string;
  bytes: number;
}

/** The longest end of `text` that takes at most `maxBytes` and does not begin inside a character. */
function lastOf(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  let start = Math.max(0, bytes.length - maxBytes);
  // 10xxxxxx continues a character.
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}

/** The longest start of `text` that takes at most `maxBytes` and does not end inside a character. */
function cutToBytes(text: string, maxBytes: number): string {
  const target = new Uint8Array(Math.min(maxBytes, 3 * text.length));
  return text.slice(0, new TextEncoder().encodeInto(text, target).read);
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
