import type { Command } from 'commander';
import type { WhyAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import type { Terminal } from './terminal.ts';

/** What needs no mending. */
const GOOD = new Set(['live', 'running', 'waiting']);

/** `mainsheet why COMMIT --repository NAME` */
export function whyCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('why')
    .description('say why a commit was or was not deployed, spec by spec')
    .argument('<commit>', 'a commit, or at least its first seven letters')
    .requiredOption('--repository <name>', 'its repository: owner/name')
    .option('--exit-code', 'exit with 1 when no spec has it deployed')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Example:
  $ mainsheet why 3f8a91c --repository acme/storefront`,
    )
    .action(
      context.action(
        async (commit: string, options: { repository: string; exitCode?: true; json?: true }) => {
          const answer = await (await context.api()).why(options.repository, commit);
          if (options.json) terminal.line(cleanJson(answer));
          else say(terminal, answer);
          const isLive = answer.specs.some(({ fate }) => fate === 'live');
          return options.exitCode && !isLive ? 1 : 0;
        },
      ),
    );
}

function say(terminal: Terminal, { repository, sha, specs }: WhyAnswer): void {
  if (specs.length === 0) {
    terminal.line(
      cleanLine(`no deployment spec names ${repository}, and no run has deployed ${sha}`),
    );
  }
  for (const { spec, environment, fate, summary, hint } of specs) {
    const mark = GOOD.has(fate) ? terminal.paint('green', '✓') : terminal.paint('red', '✗');
    terminal.line(
      `${mark} ${terminal.paint('bold', cleanLine(spec))} (${cleanLine(environment)}): ${cleanLine(fate)}`,
    );
    terminal.line(`  ${cleanLine(summary)}`);
    if (hint !== null) terminal.line(`  ${terminal.paint('dim', cleanLine(hint))}`);
  }
}
