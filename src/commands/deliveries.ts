import type { Command } from 'commander';
import { hookEventName } from '../model/hook.ts';
import type { DeliveryAnswer } from './api-answers.ts';
import { limitArgument, type CommandContext } from './context.ts';
import { age, printPage } from './page.ts';
import type { Column } from './table.ts';

interface ListOptions {
  limit: string;
  cursor?: string;
  hook?: string;
  json?: true;
}

const COLUMNS: Column<DeliveryAnswer>[] = [
  { title: 'DELIVERY', cell: (delivery) => delivery.id },
  { title: 'EVENT', cell: (delivery) => delivery.event },
  { title: 'REPOSITORY', cell: (delivery) => delivery.repository ?? '-' },
  { title: 'STATE', cell: (delivery) => delivery.state },
  { title: 'AGE', cell: (delivery) => age(delivery.receivedAt) },
  { title: 'SUMMARY', cell: (delivery) => delivery.summary ?? '-' },
];

/** `mainsheet deliveries`: newest first. */
export function deliveriesCommand(program: Command, context: CommandContext): void {
  program
    .command('deliveries')
    .description('list what came and what became of it, newest first')
    .option('--limit <number>', 'how many, 1 to 200', limitArgument, '20')
    .option('--cursor <cursor>', 'go on where a page ended')
    .option('--hook <id>', 'only requests to this hook')
    .option('--json', 'print JSON: {items, next}')
    .addHelpText('after', '\n"mainsheet explain <delivery>" says why, spec by spec.')
    .action(
      context.action(async ({ json, hook, ...page }: ListOptions) => {
        const event = hook === undefined ? undefined : hookEventName(hook);
        const answer = await (await context.api()).deliveries({ ...page, event });
        printPage(context.terminal, answer, { json, columns: COLUMNS, none: 'no deliveries' });
        return 0;
      }),
    );
}
