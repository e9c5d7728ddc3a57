import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet reject RUN` */
export function rejectCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'reject',
    description: 'cancel a run that waits for approval',
    reason: 'optional',
    help: `
Example:
  $ mainsheet reject 01k8m3z0q4vtb1f8s6w2y9xk3d --reason "not before the release notes"`,
    tell: ({ id, spec, state, reason }) => `run ${id} of ${spec} is ${state}. ${reason}`,
  });
}
