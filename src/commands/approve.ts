import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet approve RUN` */
export function approveCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'approve',
    description: 'approve a run that waits for approval',
    reason: 'optional',
    help: `
It counts once for each person, for this run alone.

Example:
  $ mainsheet runs --state blocked
  $ mainsheet approve 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    tell: ({ id, spec, state, reason }) => `run ${id} of ${spec} is ${state}. ${reason}`,
  });
}
