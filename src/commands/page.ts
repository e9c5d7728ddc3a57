import type { Command } from 'commander';
import { systemClock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { Api } from './api-client.ts';
import type { CommandContext } from './context.ts';
import { formatTable, type Column } from './table.ts';
import type { Terminal } from './terminal.ts';

interface Page<Item> {
  items: readonly Item[];
  next: string | null;
}

/** A command that lists what the API has. `ask` gets the options that the command has beside `--json`. */
export function listCommand<Item>(
  program: Command,
  context: CommandContext,
  list: {
    name: string;
    description: string;
    ask: (api: Api, options: Record<string, string>) => Promise<Page<Item>>;
    none: string;
    columns: readonly Column<Item>[];
  },
): Command {
  return program
    .command(list.name)
    .description(list.description)
    .option('--json', 'print JSON: {items, next}')
    .action(
      context.action(async ({ json, ...options }: Record<string, string> & { json?: true }) => {
        printPage(context.terminal, await list.ask(await context.api(), options), {
          ...list,
          json,
        });
      }),
    );
}

/** Prints a list of the API: as JSON, or as a table, with `none` where it is empty. */
export function printPage<Item>(
  terminal: Terminal,
  page: Page<Item>,
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
