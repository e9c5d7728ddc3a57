/*
 * Reasons, refs and log lines come from repositories and programs that may mean harm. A terminal obeys what is in its text:
 * escape sequences move the cursor over what was said before, set the window's title, or type for the user.
 */

/** Whole control sequences (ECMA-48, 5.4): short, with a grammar of their own, so they can be taken out as a piece. */
// oxlint-disable-next-line no-control-regex -- this is about control characters
const CONTROL_SEQUENCE = /\u001b\[[0-?]*[ -/]*[@-~]/g;
/** Colours and weights: the only sequences that a log may keep. */
// oxlint-disable-next-line no-control-regex -- this is about control characters
const COLOUR = /^\u001b\[[\d;:]{0,64}m$/;
/** The start of a control sequence whose end is in the next piece of text, or the first half of a CRLF. */
// oxlint-disable-next-line no-control-regex -- this is about control characters
const UNFINISHED = /(?:\u001b(?:\[[0-?]{0,64}[ -/]{0,8})?|\r)$/;
/** All other control characters but newline and tab, and the marks that turn the direction of writing round. */
// oxlint-disable-next-line no-control-regex -- this is about control characters
const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
// oxlint-disable-next-line no-control-regex -- this is about control characters
const BEFORE_ESCAPE = /(?=\u001b)/;
const RESET = '\u001b[0m';

/** Makes a log that arrives in pieces safe for a terminal. One filter for one stream of text. */
export interface LogFilter {
  push(text: string): string;
  /** To be called at the end: colours that the log left switched on are switched off. */
  flush(): string;
}

/**
 * Keeps text, newlines, tabs and, with `colour`, colour sequences, also when one is cut in two. Every other control sequence is
 * taken out; of longer ones, such as titles and links, the escape character goes and the rest stays readable.
 */
export function createLogFilter(options: { colour: boolean }): LogFilter {
  let held = '';
  let coloured = false;

  function clean(text: string): string {
    // A carriage return would let a line write over what stands before it, a time for instance.
    return text
      .replaceAll(/\r\n?/g, '\n')
      .split(BEFORE_ESCAPE)
      .map((piece) => {
        const [sequence = ''] = piece.match(CONTROL_SEQUENCE) ?? [];
        const rest = piece.slice(sequence.length).replaceAll(FORBIDDEN, '');
        if (!options.colour || !COLOUR.test(sequence)) return rest;
        coloured = true;
        return sequence + rest;
      })
      .join('');
  }

  return {
    push(text) {
      const buffer = held + text;
      held = UNFINISHED.exec(buffer)?.[0] ?? '';
      return clean(buffer.slice(0, buffer.length - held.length));
    },
    flush() {
      const rest = clean(held);
      held = '';
      return coloured ? rest + RESET : rest;
    },
  };
}

/** Text without anything that a terminal would obey; newlines and tabs stay. */
export function cleanText(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(CONTROL_SEQUENCE, '').replaceAll(FORBIDDEN, '');
}

/** The same on one line: for cells, messages, and everything else whose lines must be ours. */
export function cleanLine(text: string): string {
  return cleanText(text)
    .replaceAll(/[\s\u2028\u2029]+/g, ' ')
    .trim();
}

/** JSON for people and programs. What JSON leaves as it is and a terminal might obey is written as an escape: the value is the same. */
export function cleanJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
