import { systemClock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { formatTable, type Column } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Prints a list of the API: as JSON, or as a table, with `none` where it is empty. */
export function printPage<Item>(
  terminal: Terminal,
  page: { items: readonly Item[]; next: string | null },
  how: { json: true | undefined; columns: readonly Column<Item>[]; none: string },
): void {
  if (how.json) return terminal.line(cleanJson(page));
  if (page.items.length === 0) terminal.note(how.none);
  else for (const line of formatTable(page.items, how.columns, terminal)) terminal.line(line);
  if (page.next !== null) {
    terminal.note(terminal.paintNote('dim', cleanLine(`more: --cursor ${page.next}`)));
  }
}

/** How long ago a time of the API is, for people. */
export function age(iso: string, to: number = systemClock.now()): string {
  const ms = to - Date.parse(iso);
  return Number.isNaN(ms) ? '?' : formatDuration(Math.max(0, ms));
}
