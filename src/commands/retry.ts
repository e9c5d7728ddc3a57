import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet retry RUN` */
export function retryCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'retry',
    description: 'run the same revision again, with the same spec',
    help: `
It becomes a run of its own, with its own log and statuses.

Example:
  $ mainsheet runs --state failed --limit 1
  $ mainsheet retry 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    tell: (run) =>
      `run ${run.id} of ${run.spec} at ${run.sha.slice(0, 7)} is ${run.state}; watch it with "mainsheet logs -f ${run.id}"`,
  });
}
