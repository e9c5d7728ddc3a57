import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { age, listCommand } from './page.ts';

/** `mainsheet previews`: first the one that ends first. */
export function previewsCommand(program: Command, context: CommandContext): void {
  listCommand(program, context, {
    name: 'previews',
    description: 'list the previews of pull requests: where, since when, until when',
    ask: (api) => api.previews(),
    none: 'no pull request is deployed',
    columns: [
      { title: 'SPEC', cell: (preview) => preview.spec },
      { title: 'PULL REQUEST', cell: ({ repository, number }) => `${repository}#${number}` },
      { title: 'STATE', cell: (preview) => preview.state },
      { title: 'COMMIT', cell: (preview) => preview.sha.slice(0, 7) },
      { title: 'AGE', cell: (preview) => age(preview.since) },
      { title: 'UNTIL', cell: (preview) => preview.until },
      { title: 'ADDRESS', cell: (preview) => preview.url ?? '' },
      { title: 'REASON', cell: (preview) => preview.reason ?? '' },
    ],
  });
}
