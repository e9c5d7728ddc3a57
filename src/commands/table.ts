import { cleanLine } from '../lib/clean-text.ts';
import type { Style, Terminal } from './terminal.ts';

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string;
  style?: (row: Row) => Style | undefined;
}

/**
 * Lines of a table, headed, columns two spaces apart. Cells may hold anything: they are cleaned and kept on one line. On a terminal
 * the last column is cut to what is left of the line.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  terminal: Pick<Terminal, 'columns' | 'paint'>,
): string[] {
  const cells = rows.map((row) => columns.map((column) => cleanLine(column.cell(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => width(line[index] ?? ''))),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + 2, 0);
  const room = terminal.columns === undefined ? Infinity : Math.max(20, terminal.columns - before);

  const fit = (text: string, index: number) =>
    index === last ? cut(text, room) : text + ' '.repeat((widths[index] ?? 0) - width(text));
  const heading = columns.map(({ title }, index) => fit(title, index)).join('  ');
  const lines = cells.map((line, at) =>
    line
      .map((text, index) => {
        const row = rows[at];
        const style = row === undefined ? undefined : columns[index]?.style?.(row);
        return style === undefined ? fit(text, index) : terminal.paint(style, fit(text, index));
      })
      .join('  '),
  );
  return [terminal.paint('bold', heading), ...lines].map((line) => line.trimEnd());
}

function width(text: string): number {
  return characters(text).length;
}

function cut(text: string, room: number): string {
  const all = characters(text);
  return all.length <= room ? text : `${all.slice(0, room - 1).join('')}…`;
}

/** As a reader counts them; that some are two columns wide does not count. */
function characters(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}
