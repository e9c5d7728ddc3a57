import type { Command } from 'commander';
import { hookEventName } from '../model/hook.ts';
import { limitArgument, type CommandContext } from './context.ts';
import { age, listCommand } from './page.ts';

/** `mainsheet deliveries`: newest first. */
export function deliveriesCommand(program: Command, context: CommandContext): void {
  listCommand(program, context, {
    name: 'deliveries',
    description: 'list what came and what became of it, newest first',
    ask: (api, { hook, ...page }) =>
      api.deliveries({ ...page, event: hook === undefined ? undefined : hookEventName(hook) }),
    none: 'no deliveries',
    columns: [
      { title: 'DELIVERY', cell: (delivery) => delivery.id },
      { title: 'EVENT', cell: (delivery) => delivery.event },
      { title: 'REPOSITORY', cell: (delivery) => delivery.repository ?? '-' },
      { title: 'STATE', cell: (delivery) => delivery.state },
      { title: 'AGE', cell: (delivery) => age(delivery.receivedAt) },
      { title: 'SUMMARY', cell: (delivery) => delivery.summary ?? '-' },
    ],
  })
    .option('--limit <number>', 'how many, 1 to 200', limitArgument, '20')
    .option('--cursor <cursor>', 'go on where a page ended')
    .option('--hook <id>', 'only requests to this hook')
    .addHelpText('after', '\n"mainsheet explain <delivery>" says why, spec by spec.');
}
