import { Option, type Command } from 'commander';
import { systemClock } from '../lib/clock.ts';
import { RUN_STATES } from '../model/run.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { RunAnswer, RunDetailAnswer } from './api-answers.ts';
import { idArgument, limitArgument, type CommandContext } from './context.ts';
import { age, printPage } from './page.ts';
import { formatTable, type Column } from './table.ts';
import type { Terminal } from './terminal.ts';
import { STATE_STYLES } from './state-styles.ts';
import { UsageError } from './usage-error.ts';

interface Options {
  spec?: string;
  repository?: string;
  state?: string;
  limit?: string;
  cursor?: string;
  json?: true;
  watch?: true;
}

/** `mainsheet runs`: newest first; with an id that run and its steps; with `--watch` the overview. */
export function runsCommand(program: Command, context: CommandContext): void {
  program
    .command('runs')
    .description('list runs, newest first, or show one with its steps')
    .argument('[run]', 'only this run, by its id', idArgument)
    .option('--spec <name>', 'only runs of this deployment spec')
    .option('--repository <owner/name>', 'only runs of this repository')
    .addOption(new Option('--state <state>', 'only runs in this state').choices(RUN_STATES))
    .option('--limit <number>', 'how many, 1 to 200', limitArgument, '20')
    .option('--cursor <cursor>', 'go on where a page ended')
    .option('--json', 'print JSON: {items, next}, or the run')
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
  $ mainsheet runs 01k8m3z0q4vtb1f8s6w2y9xk3d
  $ mainsheet runs --json | jq -r '.items[] | select(.state == "running").id'`,
    )
    .action(
      context.action(async (id: string | undefined, { json, watch, ...filter }: Options) => {
        const { limit: _limit, ...which } = filter;
        if (id !== undefined && (watch || Object.keys(which).length > 0)) {
          throw new UsageError('usage', 'one run is shown by its id and nothing else');
        }
        if (watch) return await (await import('./watch.ts')).watchOverview(context, filter);
        const api = await context.api();
        if (id !== undefined) return printRun(context.terminal, await api.run(id), json);
        const page = await api.runs({ ...filter });
        printPage(context.terminal, page, { json, columns: columns(), none: 'no runs' });
      }),
    );
}

function printRun(terminal: Terminal, run: RunDetailAnswer, json: true | undefined): void {
  if (json) return terminal.line(cleanJson(run));
  // Of one run the whole reason is wanted.
  const uncut = { ...terminal, columns: undefined };
  const steps = formatTable(run.steps, stepColumns(), uncut);
  const lines = [...formatTable([run], columns(), uncut), '', ...steps];
  for (const line of lines) terminal.line(line);
  terminal.note(terminal.paintNote('dim', cleanLine(`its log: mainsheet logs ${run.id}`)));
}

function stepColumns(): Column<RunDetailAnswer['steps'][number]>[] {
  const now = systemClock.now();
  return [
    { title: 'STEP', cell: ({ name }) => name ?? '?' },
    { title: 'STATE', cell: ({ state }) => state ?? '?' },
    { title: 'TOOK', cell: (step) => took(step, now) },
    { title: 'REASON', cell: ({ reason }) => reason ?? '' },
  ];
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

function took(
  { startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null },
  now: number,
): string {
  if (startedAt === null) return '-';
  return age(startedAt, finishedAt === null ? now : Date.parse(finishedAt));
}
