import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet rollback RUN` */
export function rollbackCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'rollback',
    description: 'deploy what was deployed before a run',
    help: `
That is the newest successful run of the same spec that is older than <run> and of another
revision. The next push deploys the newest revision again.`,
    tell: (run) =>
      `run ${run.id} takes ${run.spec} back to ${run.sha.slice(0, 7)}; watch it with "mainsheet logs -f ${run.id}"`,
  });
}
