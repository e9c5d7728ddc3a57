import type { Command } from 'commander';
import type { PauseAnswer } from './api-answers.ts';
import { cleanJson } from './clean-text.ts';
import type { CommandContext } from './context.ts';
import { formatTable, type Column } from './table.ts';

const COLUMNS: Column<PauseAnswer>[] = [
  { title: 'KIND', cell: (pause) => pause.kind },
  { title: 'NAME', cell: (pause) => pause.name },
  { title: 'SINCE', cell: (pause) => pause.since },
  { title: 'BY', cell: (pause) => pause.by },
  { title: 'REASON', cell: (pause) => pause.reason },
];

/** `mainsheet pauses`: oldest first. */
export function pausesCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('pauses')
    .description('list what is paused, since when, by whom and why')
    .option('--json', 'print JSON: {items, next}')
    .action(
      context.action(async ({ json }: { json?: true }) => {
        const api = await context.api();
        const page = await api.pauses();
        if (json) terminal.line(cleanJson(page));
        else if (page.items.length === 0) terminal.note('nothing is paused');
        else for (const line of formatTable(page.items, COLUMNS, terminal)) terminal.line(line);
        return 0;
      }),
    );
}
