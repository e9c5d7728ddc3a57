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

export function escapeHtml(text: string): string {
  return /[&<>"']/.test(text)
    ? text.replaceAll(/[&<>"']/g, (character) => ESCAPED[character] ?? '')
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
