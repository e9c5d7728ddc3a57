import { once } from 'node:events';
import { styleText } from 'node:util';

export type OutputStream = NodeJS.WritableStream & {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
};

/** `styleText`'s names, as far as commands use them. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta';

/** Where a command's answers go: results to standard output, everything said about them to standard error. */
export interface Terminal {
  /** Whether standard output is a terminal, which obeys escape sequences. */
  isTerminal: boolean;
  /** Whether standard output may be coloured: a terminal that is not dumb, and no NO_COLOR (https://no-color.org). */
  colour: boolean;
  /** Its width in characters; undefined when it is not a terminal. */
  columns: number | undefined;
  /** Its height in lines, as it is now; undefined when it is not a terminal. */
  rows(): number | undefined;
  /** Text as it is. Resolves when the reader can take more. */
  write(text: string): Promise<void>;
  /** One line of a result. */
  line(text?: string): void;
  /** One line about the result, on standard error. */
  note(text: string): void;
  /**
   * What is going on, on the last line of standard error when that is a terminal; each takes the place of the one before, an empty
   * one of all. Elsewhere nothing.
   */
  progress(text: string): void;
  /** Text for standard output in a style, or as it is where colours are not wanted. */
  paint(style: Style, text: string): string;
  /** The same for standard error. */
  paintNote(style: Style, text: string): string;
}

export function createTerminal(deps: {
  stdout: OutputStream;
  stderr: OutputStream;
  env: Record<string, string | undefined>;
}): Terminal {
  const { stdout, stderr, env } = deps;
  const colour = mayColour(stdout, env);
  const colourNotes = mayColour(stderr, env);
  return {
    isTerminal: stdout.isTTY === true,
    colour,
    columns: stdout.isTTY === true ? stdout.columns : undefined,
    rows: () => (stdout.isTTY === true ? stdout.rows : undefined),
    async write(text) {
      if (text === '' || !stdout.writable) return;
      // A reader that has gone ends the wait too: `mainsheet logs RUN | head`.
      if (stdout.write(text) || !stdout.writable) return;
      const over = new AbortController();
      const { signal } = over;
      try {
        // A reader that has gone ends the wait too: `mainsheet logs RUN | head`.
        await Promise.race([once(stdout, 'drain', { signal }), once(stdout, 'close', { signal })]);
      } finally {
        over.abort();
      }
    },
    line(text = '') {
      if (stdout.writable) stdout.write(`${text}\n`);
    },
    note(text) {
      if (stderr.writable) stderr.write(`${text}\n`);
    },
    progress(text) {
      if (!obeys(stderr, env) || !stderr.writable) return;
      const shown = stderr.columns === undefined ? text : text.slice(0, stderr.columns - 1);
      stderr.write(`\r\u001B[K${shown}`);
    },
    paint: (style, text) => (colour ? paint(style, text) : text),
    paintNote: (style, text) => (colourNotes ? paint(style, text) : text),
  };
}

export function mayColour(stream: OutputStream, env: Record<string, string | undefined>): boolean {
  return obeys(stream, env) && (env['NO_COLOR'] ?? '') === '';
}

/** Whether it is a terminal that takes escape sequences. */
function obeys(stream: OutputStream, env: Record<string, string | undefined>): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

function paint(style: Style, text: string): string {
  // Whether the stream takes colours was decided from the environment that was given, not from the process's.
  return styleText(style, text, { validateStream: false });
}
