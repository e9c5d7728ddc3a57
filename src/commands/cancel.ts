import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet cancel RUN` */
export function cancelCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'cancel',
    description: 'stop a run that waits or runs',
    help: '\nA step that runs gets SIGTERM, and a little later SIGKILL, with everything it started.',
    tell: (run) =>
      run.state === 'running'
        ? `run ${run.id} of ${run.spec} is being stopped`
        : `run ${run.id} of ${run.spec} is ${run.state}`,
  });
}
