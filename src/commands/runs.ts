import { Option, type Command } from 'commander';
import { systemClock } from '../lib/clock.ts';
import { RUN_STATES } from '../model/run.ts';
import type { RunAnswer } from './api-answers.ts';
import { limitArgument, type CommandContext } from './context.ts';
import { age, printPage } from './page.ts';
import type { Column } from './table.ts';
import { STATE_STYLES } from './state-styles.ts';

interface Options {
  spec?: string;
  repository?: string;
  state?: string;
  limit?: string;
  cursor?: string;
  json?: true;
  watch?: true;
}

/** `mainsheet runs`: newest first; with `--watch` the overview. */
export function runsCommand(program: Command, context: CommandContext): void {
  program
    .command('runs')
    .description('list runs, newest first')
    .option('--spec <name>', 'only runs of this deployment spec')
    .option('--repository <owner/name>', 'only runs of this repository')
    .addOption(new Option('--state <state>', 'only runs in this state').choices(RUN_STATES))
    .option('--limit <number>', 'how many, 1 to 200', limitArgument, '20')
    .option('--cursor <cursor>', 'go on where a page ended')
    .option('--json', 'print JSON: {items, next}')
    .addOption(
      new Option('--watch', 'what is deployed where and what moves, until Ctrl-C').conflicts([
        'json',
        'limit',
        'cursor',
      ]),
    )
    .addHelpText(
      'after',
      `
With --watch the overview of all specs is shown instead, drawn again in place on a terminal; elsewhere each change is a line.

Examples:
  $ mainsheet runs --watch
  $ mainsheet runs --spec storefront --state failed
  $ mainsheet runs --json | jq -r '.items[] | select(.state == "running").id'`,
    )
    .action(
      context.action(async ({ json, watch, ...filter }: Options) => {
        if (watch) return await (await import('./watch.ts')).watchOverview(context, filter);
        const api = await context.api();
        const page = await api.runs({ ...filter });
        printPage(context.terminal, page, { json, columns: columns(), none: 'no runs' });
      }),
    );
}

function columns(): Column<RunAnswer>[] {
  const now = systemClock.now();
  return [
    { title: 'RUN', cell: (run) => run.id },
    { title: 'STATE', cell: (run) => run.state, style: (run) => STATE_STYLES[run.state] },
    { title: 'SPEC', cell: (run) => run.spec },
    { title: 'ENVIRONMENT', cell: (run) => run.environment },
    { title: 'REF', cell: (run) => run.branch ?? run.tag ?? run.ref },
    { title: 'COMMIT', cell: (run) => run.sha.slice(0, 7) },
    { title: 'CAUSE', cell: (run) => run.cause ?? '?' },
    { title: 'AGE', cell: (run) => age(run.createdAt, now) },
    { title: 'TOOK', cell: (run) => took(run, now) },
    { title: 'REASON', cell: (run) => run.reason },
  ];
}

function took(run: RunAnswer, now: number): string {
  if (run.startedAt === null) return '-';
  return age(run.startedAt, run.finishedAt === null ? now : Date.parse(run.finishedAt));
}
