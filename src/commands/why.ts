import type { Command } from 'commander';
import type { WhyAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { sayPaths } from './say-paths.ts';
import { SAY_ALL, sayWhatItSays } from './says.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** What needs no mending. */
const GOOD = new Set(['live', 'running', 'waiting']);

/** `mainsheet why [COMMIT]`, in a checkout; or `mainsheet why COMMIT --repository NAME` anywhere. */
export function whyCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('why')
    .description('say why a commit was or was not deployed, spec by spec')
    .argument('[commit]', 'a commit, or at least its first seven letters (default: HEAD)')
    .option('--repository <name>', 'its repository: owner/name (default: that of this checkout)')
    .option('--exit-code', 'exit with 1 when no spec has it deployed')
    .option(...SAY_ALL)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ mainsheet why
  $ mainsheet why 3f8a91c --repository acme/storefront`,
    )
    .action(
      context.action(
        async (
          given: string | undefined,
          options: { repository?: string; exitCode?: true; all?: true; json?: true },
        ) => {
          const { repository, commit } = await meant(context, given, options.repository);
          const answer = await (await context.api()).why(repository, commit);
          if (options.json) terminal.line(cleanJson(answer));
          else say(terminal, answer, options.all);
          const isLive = answer.specs.some(({ fate }) => fate === 'live');
          return options.exitCode && !isLive ? 1 : 0;
        },
      ),
    );
}

/** What is not said is that of the checkout. Throws UsageError, and what `openCheckout` throws. */
async function meant(
  context: CommandContext,
  given: string | undefined,
  repository: string | undefined,
): Promise<{ repository: string; commit: string }> {
  if (repository !== undefined) {
    if (given !== undefined) return { repository, commit: given };
    throw new UsageError('commit-missing', 'with --repository the commit has to be named, too');
  }
  const { openCheckout, said } = await import('./own-checkout.ts');
  const checkout = await openCheckout(context);
  const name = `${given ?? 'HEAD'}^{commit}`;
  const commit = await said(
    checkout.git,
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    name,
  );
  if (commit !== undefined) return { repository: checkout.repository, commit };
  throw new UsageError('commit-unknown', `this checkout has no commit ${given ?? 'HEAD'}`);
}

function say(terminal: Terminal, { repository, sha, specs }: WhyAnswer, all = false): void {
  if (specs.length === 0) {
    terminal.line(
      cleanLine(`no deployment spec names ${repository}, and no run has deployed ${sha}`),
    );
  }
  for (const { spec, environment, fate, summary, hint, paths, says } of specs) {
    const mark = GOOD.has(fate) ? terminal.paint('green', '✓') : terminal.paint('red', '✗');
    terminal.line(
      `${mark} ${terminal.paint('bold', cleanLine(spec))} (${cleanLine(environment)}): ${cleanLine(fate)}`,
    );
    terminal.line(`  ${cleanLine(summary)}`);
    sayPaths(terminal, paths ?? undefined);
    if (hint !== null) terminal.line(`  ${terminal.paint('dim', cleanLine(hint))}`);
    sayWhatItSays(terminal, says, all);
  }
}
