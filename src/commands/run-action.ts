import type { Command } from 'commander';
import type { RunAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { idArgument, type CommandContext } from './context.ts';

/** A command that does one thing to one run: what `cancel` and `retry` have in common. */
export function runActionCommand(
  program: Command,
  context: CommandContext,
  action: {
    name: 'cancel' | 'retry' | 'approve' | 'reject' | 'override';
    /** Whether a reason may be given, or has to be. */
    reason?: 'optional' | 'required';
    description: string;
    help: string;
    /** What is said about the run that the server answers with. */
    tell: (run: RunAnswer) => string;
  },
): void {
  const { terminal } = context;
  const command = program
    .command(action.name)
    .description(action.description)
    .argument('<run>', 'id of the run, as "mainsheet runs" shows it', idArgument)
    .option('--json', 'print the run as JSON')
    .addHelpText('after', action.help)
    .action(
      context.action(async (id: string, options: { json?: true; reason?: string }) => {
        const api = await context.api();
        const run = await api.act(action.name, id, options.reason);
        terminal.line(options.json ? cleanJson(run) : cleanLine(action.tell(run)));
        return 0;
      }),
    );
  const reason = '--reason <text>';
  if (action.reason === 'optional') command.option(reason, 'why, for people; GitHub shows it');
  if (action.reason === 'required') command.requiredOption(reason, 'why; it is shown and audited');
}
