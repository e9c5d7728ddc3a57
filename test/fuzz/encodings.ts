/** How programs write a text, each encoder with a choice for every character: `choose()` gives the next of many numbers. */
export type Encoder = (text: string, choose: () => number) => string;

const JSON_SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};
const HTML_SHORT: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '/': '&sol;',
  ä: '&auml;',
  ß: '&szlig;',
};

const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
const anyCase = (digits: string, choice: number) =>
  choice % 2 === 0 ? digits : digits.toUpperCase();
const units = (text: string) => Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
const bytesOf = (text: string) => [...Buffer.from(text)];

/** Any of the spellings that JSON allows: https://www.rfc-editor.org/rfc/rfc8259#section-7 */
const json: Encoder = (text, choose) =>
  Array.from(text, (character) => {
    const choice = choose();
    if (choice % 3 === 0) {
      return units(character)
        .map((unit) => `\\u${anyCase(hex(unit, 4), choice >> 3)}`)
        .join('');
    }
    const short = JSON_SHORT[character];
    const must = character !== '/' || choice % 3 === 1;
    return short !== undefined && must ? short : character;
  }).join('');

/** Those that have to be and any of the others, with digits in either case. */
const percent: Encoder = (text, choose) =>
  Array.from(text, (character) => {
    const choice = choose();
    if (choice % 2 === 0 && character !== '%') return character;
    return bytesOf(character)
      .map((byte) => `%${anyCase(hex(byte, 2), choice >> 2)}`)
      .join('');
  }).join('');

/** As HTML forms do it: https://url.spec.whatwg.org/#urlencoded-serializing */
const form: Encoder = (text, choose) =>
  Array.from(text, (character) => {
    if (character === ' ') return '+';
    return character === '+' ? '%2B' : percent(character, choose);
  }).join('');

const html: Encoder = (text, choose) =>
  Array.from(text, (character) => {
    const choice = choose();
    const code = character.codePointAt(0) ?? 0;
    if (choice % 4 === 0) return `&#${'0'.repeat((choice >> 2) % 5)}${code};`;
    if (choice % 4 === 1) return `&#x${anyCase(hex(code, 1), choice >> 2)};`;
    return HTML_SHORT[character] ?? character;
  }).join('');

/** `printf %q` of bash in its usual form, and in the one with which it writes what cannot be printed. */
const bashPlain: Encoder = (text) =>
  Array.from(text, (character) =>
    /[\w./:%+=@,-]|[^\0-\x7f]/.test(character) ? character : `\\${character}`,
  ).join('');
const bashAnsi: Encoder = (text) =>
  `$'${Array.from(text, (character) => {
    if (/['"\\]/.test(character)) return `\\${character}`;
    if (character === '\n') return '\\n';
    const octal = (byte: number) => `\\${byte.toString(8).padStart(3, '0')}`;
    return /[\x20-\x7e]/.test(character) ? character : bytesOf(character).map(octal).join('');
  }).join('')}'`;
/** `printf %q` of the GNU core utilities: what cannot be printed stands in quotes of its own. */
const coreutils: Encoder = (text) =>
  `'${text.replaceAll("'", () => `'\\''`).replaceAll('\n', () => `'$'\\n''`)}'`;
/** Every piece of a word in a quoting of its own. */
const anyShell: Encoder = (text, choose) =>
  Array.from(text, (character) => {
    const choice = choose() % 4;
    if (character === "'" || choice === 0)
      return /["\\$`]/.test(character) ? `"\\${character}"` : `"${character}"`;
    return choice === 1
      ? `'${character}'`
      : choice === 2 && character !== '\n' && !/\w/.test(character)
        ? `\\${character}`
        : `'${character}'`;
  }).join('');
const pythonShlex: Encoder = (text) => `'${text.replaceAll("'", `'"'"'`)}'`;

const python: Encoder = (text) =>
  `'${Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (/['\\]/.test(character)) return `\\${character}`;
    if (character === '\n') return '\\n';
    if (code < 0x7f) return character;
    return code < 0x100
      ? `\\x${hex(code, 2)}`
      : code < 0x10000
        ? `\\u${hex(code, 4)}`
        : `\\U${hex(code, 8)}`;
  }).join('')}'`;
const pythonBytes: Encoder = (text) =>
  `b'${bytesOf(text)
    .map((byte) => {
      if (byte === 0x0a) return '\\n';
      if (byte === 0x27 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
      return byte < 0x7f ? String.fromCharCode(byte) : `\\x${hex(byte, 2)}`;
    })
    .join('')}'`;
const node: Encoder = (text) => `'${text.replaceAll(/['\\]/g, '\\$&').replaceAll('\n', '\\n')}'`;

const hexDump: Encoder = (text, choose) => {
  const choice = choose();
  const between = ['', ' ', ':', '\n', '\\x', ', 0x'][choice % 6] ?? '';
  return bytesOf(text)
    .map((byte) => anyCase(hex(byte, 2), choice >> 3))
    .join(between);
};

export const ENCODERS: Record<string, Encoder> = {
  json,
  percent,
  form,
  html,
  bashPlain,
  bashAnsi,
  coreutils,
  anyShell,
  pythonShlex,
  python,
  pythonBytes,
  node,
  hexDump,
  hexLines: (text, choose) =>
    inLines(
      hexDump(text, () => 0),
      1 + (choose() % 80),
    ),
  jsonInJson: (text, choose) => json(json(text, choose), choose),
  urlInUrl: (text, choose) => percent(percent(text, choose), choose),
  jsonInUrl: (text, choose) => percent(json(text, choose), () => choose() * 2 + 1),
  htmlInJson: (text, choose) => json(html(text, choose), choose),
};

/** Broken into lines of so many characters. */
export function inLines(text: string, width: number): string {
  return (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join('\n');
}
