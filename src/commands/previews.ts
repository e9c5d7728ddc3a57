import type { Command } from 'commander';
import type { PreviewsAnswer } from './api-answers.ts';
import type { CommandContext } from './context.ts';
import { age, printPage } from './page.ts';
import type { Column } from './table.ts';

const COLUMNS: Column<PreviewsAnswer['items'][number]>[] = [
  { title: 'SPEC', cell: (preview) => preview.spec },
  { title: 'PULL REQUEST', cell: ({ repository, number }) => `${repository}#${number}` },
  { title: 'STATE', cell: (preview) => preview.state },
  { title: 'COMMIT', cell: (preview) => preview.sha.slice(0, 7) },
  { title: 'AGE', cell: (preview) => age(preview.since) },
  { title: 'UNTIL', cell: (preview) => preview.until },
  { title: 'ADDRESS', cell: (preview) => preview.url ?? '' },
  { title: 'REASON', cell: (preview) => preview.reason ?? '' },
];

/** `mainsheet previews`: first the one that ends first. */
export function previewsCommand(program: Command, context: CommandContext): void {
  program
    .command('previews')
    .description('list the previews of pull requests: where, since when, until when')
    .option('--json', 'print JSON: {items, next}')
    .action(
      context.action(async ({ json }: { json?: true }) => {
        const page = await (await context.api()).previews();
        const none = 'no pull request is deployed';
        printPage(context.terminal, page, { json, columns: COLUMNS, none });
        return 0;
      }),
    );
}
