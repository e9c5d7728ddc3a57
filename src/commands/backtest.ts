import type { Command } from 'commander';
import type { BacktestAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { validSpecs } from './validate.ts';
import { whileWaiting } from './while-waiting.ts';

interface Options {
  days?: string;
  json?: true;
  exitCode?: true;
}

/** `mainsheet backtest [PATH]`: what specs of this machine would have made of the deliveries that the server keeps. */
export function backtestCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('backtest')
    .description('say what changed specs would have deployed of what came before')
    .argument('[path]', 'the whole new set of specs (default: $MAINSHEET_DEPLOYMENTS)')
    .option('--days <number>', 'how far to go back, 1 to 365 (default: 30)')
    .option('--exit-code', 'exit with 1 when there is any difference')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Nothing is deployed. A spec that the server has and PATH has not counts as removed.

Examples:
  $ mainsheet backtest deployments
  $ mainsheet backtest deployments --days 7 --exit-code`,
    )
    .action(
      context.action(async (given: string | undefined, options: Options) => {
        const loaded = await validSpecs(context, given, options.json);
        if (loaded === undefined) return 1;
        const api = await context.api();
        const files = loaded.specs.map(({ file, text }) => ({ file, text }));
        const days = daysOf(options.days);
        const doing = `judging the deliveries of ${days ?? 30} days`;
        const answer = await whileWaiting(terminal, doing, (tell) =>
          api.backtest(files, days, ({ deliveries, share }) =>
            tell(`${deliveries.toLocaleString('en')} so far, ${Math.floor(share * 100)} %`),
          ),
        );
        if (options.json) terminal.line(cleanJson(answer));
        else say(terminal, answer);
        return options.exitCode && answer.total > 0 ? 1 : 0;
      }),
    );
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 365) return days;
  throw new UsageError('invalid-days', '--days must be a number from 1 to 365');
}

function say(terminal: Terminal, answer: BacktestAnswer): void {
  const { deliveries, since, differences, total } = answer;
  const looked = `${deliveries === 1 ? '1 delivery' : `${deliveries} deliveries`} since ${since.slice(0, 10)}`;
  terminal.line(
    terminal.paint(
      'bold',
      total === 0
        ? `No difference in ${looked}`
        : `${total} ${total === 1 ? 'difference' : 'differences'} in ${looked}`,
    ),
  );
  for (const { spec, would, repository, sha, ref, delivery, reasons, certain } of differences) {
    const commit = sha === null ? '' : ` at ${sha.slice(0, 7)}`;
    const place = cleanLine(`${repository}${ref === null ? '' : ` ${ref}`}${commit}`);
    terminal.line();
    terminal.line(
      would
        ? `${terminal.paint('green', '+')} ${cleanLine(spec)} would have deployed ${place}`
        : `${terminal.paint('red', '-')} ${cleanLine(spec)} would not have deployed ${place}`,
    );
    const why = reasons.find(({ held }) => !held);
    if (!would && why !== undefined)
      terminal.line(`  ${cleanLine(`${why.condition}: ${why.detail}`)}`);
    if (!certain)
      terminal.line('  only git knows all changed files, so "paths" may decide otherwise');
    terminal.line(`  delivery ${cleanLine(delivery)}`);
  }
  if (total > differences.length) {
    terminal.note(`only the newest ${differences.length} of ${total} are listed`);
  }
}
