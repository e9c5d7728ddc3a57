import { ENTITIES } from './entities.ts';

/** A way to write characters as others. */
export interface Escape {
  lead: string;
  /**
   * What the start of `text`, which begins with `lead`, stands for. `open`: that depends on what follows; never with `final`,
   * when nothing follows any more. Undefined: the lead stands for itself.
   */
  read(text: string, final: boolean): Escaped | 'open' | undefined;
}

interface Escaped {
  text: string;
  /** How many UTF-16 units of the text were read; at least 1. */
  length: number;
}

/** No escape is longer than this, in UTF-16 units: a name, or a number with some zeros in front. */
export const LONGEST_ESCAPE = 32;

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ['a', '\u0007'],
  ['b', '\b'],
  ['e', '\u001B'],
  ['E', '\u001B'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

/** What JSON, C, Python, JavaScript and a shell's `$'…'` write with a backslash; before other characters it means nothing. */
export const BACKSLASH: Escape = {
  lead: '\\',
  read(text, final) {
    const kind = text[1];
    if (kind === undefined) return final ? undefined : 'open';
    const read =
      kind === 'u' || kind === 'U'
        ? readCode(text, final, UNICODE)
        : kind === 'x' || (kind >= '0' && kind <= '3')
          ? readBytes(text, final, BYTE)
          : undefined;
    return read ?? { text: CONTROLS.get(kind) ?? kind, length: 2 };
  },
};

/** URLs: https://www.rfc-editor.org/rfc/rfc3986#section-2.1, and JavaScript's `escape`. */
export const PERCENT: Escape = {
  lead: '%',
  read: (text, final) =>
    text[1] === 'u' ? readCode(text, final, PERCENT_U) : readBytes(text, final, PERCENT_BYTE),
};

/** A space in an HTML form. */
export const PLUS: Escape = { lead: '+', read: () => ({ text: ' ', length: 1 }) };

/** HTML and XML. */
export const ENTITY: Escape = {
  lead: '&',
  read(text, final) {
    if (text[1] === '#') return readCode(text, final, REFERENCE);
    const [all, name] = /^&([A-Za-z][A-Za-z0-9]*);/.exec(text) ?? [];
    if (all === undefined) return !final && /^&[A-Za-z0-9]*$/.test(text) ? 'open' : undefined;
    const character = ENTITIES.get(name ?? '');
    return character === undefined ? undefined : { text: character, length: all.length };
  },
};

/** How a number is written: whole, with its digits in one of the groups, whose bases are `bases`; and how one begins. */
interface Notation {
  whole: RegExp;
  start: RegExp;
  bases: number[];
}

const UNICODE: Notation = {
  whole: /^\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8}))/,
  start: /^\\(?:u[0-9a-fA-F]{0,3}|u\{[0-9a-fA-F]{0,6}|U[0-9a-fA-F]{0,7})$/,
  bases: [16, 16, 16],
};
const PERCENT_U: Notation = {
  whole: /^%u([0-9a-fA-F]{4})/,
  start: /^%u[0-9a-fA-F]{0,3}$/,
  bases: [16],
};
const REFERENCE: Notation = {
  whole: /^&#(?:[xX]([0-9a-fA-F]{1,24})|([0-9]{1,24}));/,
  start: /^&#(?:[xX][0-9a-fA-F]{0,24}|[0-9]{0,24})$/,
  bases: [16, 10],
};
const BYTE: Notation = {
  whole: /^\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2}))/,
  start: /^(?:\\(?:x[0-9a-fA-F]?|[0-3][0-7]?)?)?$/,
  bases: [16, 8],
};
const PERCENT_BYTE: Notation = {
  whole: /^%([0-9a-fA-F]{2})/,
  start: /^(?:%[0-9a-fA-F]?)?$/,
  bases: [16],
};

type Value = { value: number; length: number };

function readValue(text: string, final: boolean, notation: Notation): Value | 'open' | undefined {
  const found = notation.whole.exec(text);
  if (found === null) return !final && notation.start.test(text) ? 'open' : undefined;
  const group = found.findIndex((digits, index) => index > 0 && digits !== undefined);
  return {
    value: parseInt(found[group] ?? '', notation.bases[group - 1]),
    length: found[0].length,
  };
}

/** A code point, or one unit of a pair. */
function readCode(text: string, final: boolean, notation: Notation): Escaped | 'open' | undefined {
  const read = readValue(text, final, notation);
  if (read === undefined || read === 'open') return read;
  const { value, length } = read;
  return value > 0x10ffff ? undefined : { text: String.fromCodePoint(value), length };
}

/** A character in UTF-8, one escape a byte. Bytes that are no UTF-8 are characters of Latin-1, as some programs write them. */
function readBytes(text: string, final: boolean, notation: Notation): Escaped | 'open' | undefined {
  const first = readValue(text, final, notation);
  if (first === undefined || first === 'open') return first;
  const bytes = [first.value];
  let length = first.length;
  while (bytes.length < lengthOfUtf8(first.value)) {
    const more = readValue(text.slice(length), final, notation);
    if (more === 'open') return more;
    if (more === undefined) break;
    bytes.push(more.value);
    length += more.length;
  }
  const decoded = Buffer.from(bytes).toString();
  if (bytes.length === lengthOfUtf8(first.value) && !decoded.includes('\uFFFD')) {
    return { text: decoded, length };
  }
  return { text: String.fromCharCode(first.value), length: first.length };
}

function lengthOfUtf8(first: number): number {
  return first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
