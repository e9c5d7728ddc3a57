import type { Command } from 'commander';
import { cleanJson } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { sayPaused } from './pause.ts';

/** `mainsheet resume SPEC` */
export function resumeCommand(program: Command, context: CommandContext): void {
  program
    .command('resume')
    .description('let the runs of a paused deployment spec, or lane, start again')
    .argument('<name>', 'name of the deployment spec; with --lane of the lane')
    .option('--lane', 'the name is that of a lane')
    .option('--json', 'print the pause that was and the runs that waited as JSON')
    .action(
      context.action(async (name: string, { lane, json }: { lane?: true; json?: true }) => {
        const api = await context.api();
        const answer = await api.resume(lane ? 'lane' : 'spec', name);
        if (json) context.terminal.line(cleanJson(answer));
        else sayPaused(context.terminal, answer, 'goes on');
      }),
    );
}
