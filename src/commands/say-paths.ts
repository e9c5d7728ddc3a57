import { cleanLine } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import type { Terminal } from './terminal.ts';

/** The changed files of a push beside the patterns of a spec, as the API tells them. */
export interface Paths {
  condition: string;
  files: number;
  counting: number;
  compared: number;
  rows: { path: string; by?: string | null | undefined; counts: boolean }[];
}

/** Characters of a path or pattern. */
const MOST_TEXT = 200;
/** Files that are printed of each spec; `--json` has more. */
const MOST_FILES = 10;

/** The files that count first, each with the pattern that it met. */
export function sayPaths(terminal: Terminal, paths: Paths | undefined): void {
  if (paths === undefined || paths.files === 0) return;
  const { condition, files, counting, compared, rows } = paths;
  const all = compared < files ? `${compared} compared files` : `${files} changed files`;
  terminal.line(
    `    ${counting} of ${all} ${counting === 1 ? 'counts' : 'count'} for ${condition}`,
  );
  const shown = rows.slice(0, MOST_FILES).map(({ path, by, counts }) => ({
    path: cleanLine(cutText(path, MOST_TEXT)),
    by: by === undefined || by === null ? '(no pattern)' : cleanLine(cutText(by, MOST_TEXT)),
    counts,
  }));
  const width = Math.max(0, ...shown.map(({ path }) => path.length));
  for (const { path, by, counts } of shown) {
    terminal.line(paintMark(terminal, `      ${counts ? '✓' : '✗'} ${path.padEnd(width)}  ${by}`));
  }
  const more = files - Math.min(rows.length, MOST_FILES);
  if (more > 0) terminal.line(`      and ${more} more`);
}

/** Colours the mark that a line begins with. */
export function paintMark(terminal: Terminal, line: string): string {
  return line.replace(/^(\s*)([✓✗])/u, (_, indent: string, mark: string) =>
    [indent, terminal.paint(mark === '✓' ? 'green' : 'red', mark)].join(''),
  );
}
