import type { Command } from 'commander';
import type { PausedAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  lane?: true;
  reason?: string;
  json?: true;
}

/** `mainsheet pause SPEC` */
export function pauseCommand(program: Command, context: CommandContext): void {
  program
    .command('pause')
    .description('keep the runs of a deployment spec, or of a lane, from starting')
    .argument('<name>', 'name of the deployment spec; with --lane of the lane')
    .option('--lane', 'the name is that of a lane: every spec whose runs wait in it')
    .option('--reason <text>', 'why, for people; GitHub shows it')
    .option('--json', 'print the pause and the runs that wait as JSON')
    .addHelpText(
      'after',
      `
What runs goes on. New runs are made and wait; of those of a spec the newest stays. A pause
lasts until "mainsheet resume", whatever is restarted meanwhile.

Example:
  $ mainsheet pause storefront --reason "the database moves"`,
    )
    .action(
      context.action(async (name: string, { lane, reason, json }: Options) => {
        const api = await context.api();
        const answer = await api.pause(lane ? 'lane' : 'spec', name, reason);
        if (json) context.terminal.line(cleanJson(answer));
        else sayPaused(context.terminal, answer, 'is paused');
      }),
    );
}

/** Says what was done, and how each run is that it concerns. */
export function sayPaused(terminal: Terminal, answer: PausedAnswer, done: string): void {
  terminal.line(cleanLine(`${answer.kind} ${answer.name} ${done}`));
  for (const run of answer.runs) {
    terminal.line(cleanLine(`run ${run.id} of ${run.spec} is ${run.state}: ${run.reason}`));
  }
}
