/** Lines of a secret that are shorter than this are masked only as part of the whole: `{` or `}` alone say nothing. */
const MIN_LINE = 4;
/** Shorter texts could be anything, once quotes, white space or the bits at the edges are left out. */
const MIN_UNQUOTED = 6;
const MIN_BASE64 = 6;
const MIN_HEX = 8;

/** Base64 and hex are looked for up to this length, in characters; longer secrets are masked as text and by line. */
const MAX_ENCODED = 16 * 1024;

/** What a secret looks like in each of the alphabets that a stream is read in. Empty texts are left out. */
export interface SecretForms {
  /** As text, after whatever escapes stood for its characters. */
  text: string[];
  /** As text without quotes, backslashes and dollar signs. */
  unquoted: string[];
  /** In the alphabet of base64, without line breaks. */
  base64: string[];
  /** In lower-case hex digits, without anything between them. */
  hex: string[];
}

/** What shells and programs put around or before characters to quote them. */
export const QUOTING = new Set(Array.from(`'"\\$`, (character) => character.charCodeAt(0)));

/**
 * The forms of `secrets`: the value, the value without the white space around it, and each of its lines, as GitHub does for
 * values of several lines
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#masking-a-value-in-a-log).
 * The number of forms is bounded by the number of lines.
 */
export function secretForms(secrets: readonly string[]): SecretForms {
  const whole = secrets.flatMap((secret) => [secret, secret.trim()]).filter((text) => text !== '');
  const text = [...new Set([...whole, ...secrets.flatMap(lines)])];
  const encoded = [...new Set(whole)].filter((value) => value.length <= MAX_ENCODED);
  return {
    // A short value is found in a shell's quotes too, where it would be too short without them.
    text: [...new Set(text.flatMap((value) => [value, ...shellForms(value)]))],
    unquoted: [...new Set(text.map(unquoted))].filter((form) => form.length >= MIN_UNQUOTED),
    base64: [...new Set(encoded.flatMap(base64Forms))],
    hex: [...new Set(encoded.flatMap(hexForms))],
  };
}

function lines(value: string): string[] {
  const parts = value.split(/[\r\n]+/).map((line) => line.trim());
  return parts.filter((line) => line.length >= MIN_LINE);
}

function shellForms(value: string): string[] {
  return [value.replaceAll("'", String.raw`'\''`), value.replaceAll("'", `'"'"'`)];
}

function unquoted(value: string): string {
  return value.replaceAll(/['"\\$]/g, '');
}

/** The characters that are the same whatever stands around the value, for each position that it may begin at. */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const alone = bytes.toString('base64');
  const parts = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const first = Math.ceil((offset * 8) / 6);
    return encoded.slice(first, Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return [alone, alone.replace(/=+$/, ''), ...parts].filter((form) => form.length >= MIN_BASE64);
}

/** Written without a break, and as `0x61, 0x62` of which the `x` and what is in between is not read. */
function hexForms(value: string): string[] {
  const digits = Buffer.from(value).toString('hex');
  if (digits.length < MIN_HEX) return [];
  return [digits, digits.replaceAll(/..(?=.)/g, '$&0')];
}
