import type { Command } from 'commander';
import type { EnvironmentAnswer } from './api-answers.ts';
import type { CommandContext } from './context.ts';
import { age, printPage } from './page.ts';
import type { Column } from './table.ts';

const COLUMNS: Column<EnvironmentAnswer>[] = [
  { title: 'ENVIRONMENT', cell: (place) => place.environment },
  { title: 'SPEC', cell: (place) => `${place.spec}${place.removed ? ' (removed)' : ''}` },
  { title: 'COMMIT', cell: (place) => place.sha.slice(0, 7) },
  { title: 'REF', cell: (place) => place.ref.replace(/^refs\/(?:heads|tags)\//, '') },
  { title: 'AGE', cell: (place) => age(place.deployedAt) },
  { title: 'RUN', cell: (place) => place.run },
];

/** `mainsheet environments`: what is deployed where. */
export function environmentsCommand(program: Command, context: CommandContext): void {
  program
    .command('environments')
    .description('list what is deployed where')
    .option('--json', 'print JSON: {items, next}')
    .action(
      context.action(async ({ json }: { json?: true }) => {
        const page = await (await context.api()).environments();
        const none = 'nothing is deployed yet';
        printPage(context.terminal, page, { json, columns: COLUMNS, none });
        return 0;
      }),
    );
}
