import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { runActionCommand } from './run-action.ts';

/** `mainsheet override RUN --reason TEXT` */
export function overrideCommand(program: Command, context: CommandContext): void {
  runActionCommand(program, context, {
    name: 'override',
    description: 'let a run start outside its window',
    reason: 'required',
    help: `
Approvals that it waits for it still needs.

Example:
  $ mainsheet override 01k8m3z0q4vtb1f8s6w2y9xk3d --reason "fixes the outage"`,
    tell: ({ id, spec, state, reason }) => `run ${id} of ${spec} is ${state}. ${reason}`,
  });
}
