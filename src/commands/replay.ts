import type { Command } from 'commander';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { deliveryArgument, type CommandContext } from './context.ts';

/** `mainsheet replay DELIVERY`: exit code 1 when nothing was deployed. */
export function replayCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('replay')
    .description("run a stored delivery against today's specs once more")
    .argument(
      '<delivery>',
      'id of the delivery, as "mainsheet deliveries" shows it',
      deliveryArgument,
    )
    .option('--json', 'print the summary and the runs as JSON')
    .action(
      context.action(async (id: string, options: { json?: true }) => {
        const api = await context.api();
        const answer = await api.replay(id);
        if (options.json) {
          terminal.line(cleanJson(answer));
        } else {
          terminal.line(cleanLine(answer.summary));
          for (const run of answer.runs) {
            terminal.line(cleanLine(`run ${run.id} of ${run.spec} is ${run.state}`));
          }
        }
        return answer.runs.length > 0 ? 0 : 1;
      }),
    );
}
