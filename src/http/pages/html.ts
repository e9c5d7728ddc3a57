/** Text that is HTML already: everything in it that came from outside was escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text is escaped, lists are joined, and what is not there is nothing. */
export type Content = Html | string | number | false | null | undefined | readonly Content[];

/**
 * A template of HTML. What is put in is escaped for text and for attributes in double quotes, which is where it may stand: not
 * in a tag's name, an attribute without quotes, a script or a style.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = parts[0] ?? '';
  values.forEach((value, index) => {
    text += textOf(value) + (parts[index + 1] ?? '');
  });
  return new Html(text);
}

function textOf(value: Content): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return (value as readonly Content[]).map(textOf).join('');
  return '';
}

const ESCAPED: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What HTML reads, control characters, and the marks that turn the direction of writing round: text could look like another. */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- this is about control characters
  /[&<>"'\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/;
const EACH_UNSAFE = new RegExp(UNSAFE, 'g');

/** With � for what does not show and would change how the rest looks. */
export function escapeHtml(text: string): string {
  return UNSAFE.test(text)
    ? text.replaceAll(EACH_UNSAFE, (character) => ESCAPED[character] ?? '\uFFFD')
    : text;
}

/** A path below the dashboard, each part encoded, with a query of what is set. */
export function pathTo(
  parts: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const set = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const search = set.length === 0 ? '' : `?${new URLSearchParams(set).toString()}`;
  return parts.map(encodeURIComponent).join('/') + search;
}
