/** Lines of a secret that are shorter than this are masked only as part of the whole: `{` or `}` alone say nothing. */
const MIN_LINE = 4;

/** A part of an encoding that is shorter than this, in characters, could be anything. */
const MIN_PART = 6;

/** Encodings are looked for up to this length, in characters; longer secrets are masked as they are and by line. */
const MAX_ENCODED = 16 * 1024;

/** Where programs break base64 into lines: PEM, and MIME (the `base64` program). */
const BASE64_WIDTHS = [64, 76];

/**
 * The texts under which a secret may turn up in a log: the value, the value without the white space around it, each of
 * its lines, as GitHub does for values of several lines
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#masking-a-value-in-a-log),
 * and what comes out when a program prints it as JSON, in a URL, quoted for a shell (`set -x`) or in base64.
 * Empty texts are left out; the number of forms is bounded by the number of lines.
 */
export function secretForms(secret: string): string[] {
  const whole = [secret, secret.trim()].filter((value) => value !== '');
  const forms = [...whole, ...lines(secret)];
  for (const value of new Set(whole)) {
    if (value.length <= MAX_ENCODED) {
      forms.push(...jsonForms(value), ...urlForms(value), shellForm(value), ...base64Forms(value));
    }
  }
  return [...new Set(forms)];
}

function lines(value: string): string[] {
  const parts = value.split(/[\r\n]+/).map((line) => line.trim());
  return parts.filter((line) => line.length >= MIN_LINE);
}

function jsonForms(value: string): string[] {
  const escaped = JSON.stringify(value).slice(1, -1);
  const ascii = escaped.replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [escaped, ascii];
}

/** As JavaScript, most other programs (RFC 3986) and HTML forms do it: they differ in what they leave as it is. */
function urlForms(value: string): string[] {
  const component = encodeURIComponent(value.toWellFormed());
  const strict = component.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return [component, strict, new URLSearchParams([['', value]]).toString().slice(1)];
}

function shellForm(value: string): string {
  return value.replaceAll("'", String.raw`'\''`);
}

/** Base64 and base64url: alone, broken into lines, and in the midst of other data (`user:secret`), at any alignment. */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const alone = bytes.toString('base64');
  const parts = [0, 1, 2].map((offset) => alignedPart(bytes, offset));
  for (const width of BASE64_WIDTHS) {
    for (let start = 0; alone.length > width && start < alone.length; start += width) {
      parts.push(alone.slice(start, start + width));
    }
  }
  const forms = [alone, alone.replace(/=+$/, ''), ...parts].filter(
    (form) => form.length >= MIN_PART,
  );
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** The characters that are the same whatever stands around `bytes`, when `offset` bytes (modulo 3) stand before them. */
function alignedPart(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const first = Math.ceil((offset * 8) / 6);
  const last = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(first, last);
}
