import type { Command } from 'commander';
import type { PauseAnswer } from './api-answers.ts';
import type { CommandContext } from './context.ts';
import { printPage } from './page.ts';
import type { Column } from './table.ts';

const COLUMNS: Column<PauseAnswer>[] = [
  { title: 'KIND', cell: (pause) => pause.kind },
  { title: 'NAME', cell: (pause) => pause.name },
  { title: 'SINCE', cell: (pause) => pause.since },
  { title: 'BY', cell: (pause) => pause.by ?? '-' },
  { title: 'REASON', cell: (pause) => pause.reason },
];

/** `mainsheet pauses`: oldest first. */
export function pausesCommand(program: Command, context: CommandContext): void {
  program
    .command('pauses')
    .description('list what is paused, since when, by whom and why')
    .option('--json', 'print JSON: {items, next}')
    .action(
      context.action(async ({ json }: { json?: true }) => {
        const page = await (await context.api()).pauses();
        printPage(context.terminal, page, { json, columns: COLUMNS, none: 'nothing is paused' });
        return 0;
      }),
    );
}
