import type { Command } from 'commander';
import type { SpecAnswer, SpecsAnswer } from './api-answers.ts';
import type { CommandContext } from './context.ts';
import { printPage } from './page.ts';
import type { Column } from './table.ts';

const COLUMNS: Column<SpecAnswer>[] = [
  { title: 'NAME', cell: (spec) => spec.name },
  {
    title: 'REPOSITORY',
    cell: ({ repository, installation }) =>
      installation === null || installation === 'installed'
        ? repository
        : `${repository} (App ${installation})`,
  },
  { title: 'ENVIRONMENT', cell: (spec) => spec.environment },
  { title: 'LANE', cell: (spec) => spec.lane },
  { title: 'EVENTS', cell: (spec) => spec.events.join(',') },
  { title: 'PAUSED', cell: (spec) => (spec.paused === null ? '-' : 'yes') },
  { title: 'FILE', cell: (spec) => spec.file },
];

/** `mainsheet specs`: those that the server uses. */
export function specsCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('specs')
    .description('list the deployment specs that the server uses')
    .option('--json', 'print JSON: {items, next, stale, problems, source}')
    .action(
      context.action(async ({ json }: { json?: true }) => {
        const page = await (await context.api()).specs();
        printPage(terminal, page, { json, columns: COLUMNS, none: 'no deployment specs' });
        const from = json ? '' : sourceOf(page);
        if (from !== '') terminal.note(`from ${from}`);
        if (page.stale && !json) {
          const note = terminal.paintNote('yellow', 'note:');
          terminal.note(`${note} those on disk are not valid: "mainsheet doctor" says why`);
        }
      }),
    );
}

/** `acme/deployments/specs, commit abc1234`; empty when the server says nothing. */
function sourceOf({ source }: SpecsAnswer): string {
  const place = [source?.repository, source?.path].filter(Boolean).join('/');
  const commit = source?.commit?.slice(0, 7);
  return [place, ...(commit === undefined ? [] : [`commit ${commit}`])].filter(Boolean).join(', ');
}
