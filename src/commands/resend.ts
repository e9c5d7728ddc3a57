import type { Command } from 'commander';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { entryArgument, type CommandContext } from './context.ts';

/** `mainsheet resend (ID | --all)` */
export function resendCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  const command = program
    .command('resend')
    .description('send a dead callback again, or all of them')
    .argument('[id]', 'number of the callback, as "mainsheet outbox" shows it', entryArgument)
    .option('--all', 'every dead callback')
    .option('--json', 'print the callback, or how many there were, as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ mainsheet outbox          what is dead, and why
  $ mainsheet resend 42
  $ mainsheet resend --all`,
    );
  command.action(
    context.action(async (id: string | undefined, options: { all?: true; json?: true }) => {
      if ((id === undefined) === (options.all === undefined)) {
        command.error('error: give either the number of a callback, or --all');
      }
      const api = await context.api();
      if (id === undefined) {
        const answer = await api.resendAll();
        const said = answer.retried === 1 ? '1 callback is' : `${answer.retried} callbacks are`;
        terminal.line(options.json ? cleanJson(answer) : `${said} sent again`);
        return 0;
      }
      const entry = await api.resend(id);
      terminal.line(options.json ? cleanJson(entry) : cleanLine(`callback ${id} is sent again`));
    }),
  );
}
