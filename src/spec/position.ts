import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, LineCounter, Node } from 'yaml';
import type { Issue } from './problem.ts';

/** A parsed YAML document together with what its positions refer to. */
export interface Source {
  text: string;
  lines: LineCounter;
  document: Document.Parsed;
}

/** Line and column (both 1-based) of an issue: of the very character where a string's content is meant. */
export function positionOf(source: Source, issue: Issue): { line: number; column: number } {
  const { node, key } = find(source.document, issue.path);
  const chosen = issue.at === 'key' && key !== undefined ? key : node;
  const start =
    chosen?.range?.[0] ?? source.document.contents?.range?.[0] ?? source.document.range[0];
  const within = issue.offset === undefined ? 0 : offsetInSource(source, node, issue.offset);
  const { line, col } = source.lines.linePos(Math.min(start + within, source.text.length));
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** The node at a path; the nearest one above it where the path goes on into nothing. */
function find(
  document: Document.Parsed,
  path: Issue['path'],
): { node: Node | undefined; key: Node | undefined } {
  let node: Node | undefined = document.contents ?? undefined;
  let key: Node | undefined;
  for (const segment of path) {
    const parent: Node | undefined = isAlias(node) ? node.resolve(document) : node;
    if (isMap<Node, Node | null>(parent)) {
      const pair = parent.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(segment),
      );
      if (pair === undefined) return { node, key };
      key = pair.key;
      node = pair.value ?? pair.key;
    } else if (isSeq<Node>(parent) && typeof segment === 'number') {
      const item = parent.items[segment];
      if (item === undefined) return { node, key };
      key = undefined;
      node = item;
    } else {
      return { node, key };
    }
  }
  return { node, key };
}

/**
 * How far into the file's text of a string its `offset`th character stands. Exact for what is written as it is, on one
 * line or in a `|` block; otherwise (escapes, folded lines) the start of the string has to do.
 */
function offsetInSource(source: Source, node: Node | undefined, offset: number): number {
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return 0;
  const written = source.text.slice(node.range[0], node.range[1]);
  const verbatim = written.indexOf(node.value);
  if (verbatim !== -1 && node.type !== 'BLOCK_LITERAL') return verbatim + offset;
  if (node.type !== 'BLOCK_LITERAL') return 0;
  const before = node.value.slice(0, offset).split('\n');
  const row = before.length;
  const column = before.at(-1)?.length ?? 0;
  const rows = written.split('\n');
  const content = node.value.split('\n')[row - 1] ?? '';
  const indent = (rows[row] ?? '').replace(/\r$/, '').length - content.length;
  return (
    rows.slice(0, row).reduce((sum, line) => sum + line.length + 1, 0) +
    Math.max(0, indent) +
    column
  );
}
