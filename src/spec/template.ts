/** A template in pieces: text as it is, and the expressions between `${{` and `}}`. */
export type TemplatePart =
  | { kind: 'text'; text: string }
  /** `offset`: UTF-16 units from the template's start to the expression's first character. */
  | { kind: 'expression'; source: string; offset: number }
  | { kind: 'unclosed'; offset: number };

export function hasTemplate(text: string): boolean {
  return text.includes('${{');
}

/**
 * Splits a template. A `}}` inside a string or a map literal of the expression does not end it. To get a literal
 * `${{`, write it as a string inside an expression, as on GitHub.
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let position = 0;
  for (;;) {
    const open = text.indexOf('${{', position);
    if (open === -1) break;
    if (open > position) parts.push({ kind: 'text', text: text.slice(position, open) });
    const start = open + 3;
    const end = endOfExpression(text, start);
    if (end === undefined) {
      parts.push({ kind: 'unclosed', offset: open });
      return parts;
    }
    const raw = text.slice(start, end);
    const leading = raw.length - raw.trimStart().length;
    parts.push({ kind: 'expression', source: raw.trim(), offset: start + leading });
    position = end + 2;
  }
  if (position < text.length) parts.push({ kind: 'text', text: text.slice(position) });
  return parts;
}

/** Where the `}}` stands that ends the expression; undefined when none does. */
function endOfExpression(text: string, start: number): number | undefined {
  let depth = 0;
  let index = start;
  while (index < text.length) {
    const character = text.charAt(index);
    if (character === '"' || character === "'") {
      index = endOfString(text, index);
      continue;
    }
    if (character === '{') depth += 1;
    if (character === '}') {
      if (depth === 0) return text.charAt(index + 1) === '}' ? index : undefined;
      depth -= 1;
    }
    index += 1;
  }
  return undefined;
}

/** A backslash takes the next character with it, in raw strings too: there it stays, but still does not end them. */
function endOfString(text: string, start: number): number {
  const quote = text.charAt(start);
  const delimiter = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  let index = start + delimiter.length;
  while (index < text.length) {
    if (text.charAt(index) === '\\') index += 2;
    else if (text.startsWith(delimiter, index)) return index + delimiter.length;
    else index += 1;
  }
  return index;
}
