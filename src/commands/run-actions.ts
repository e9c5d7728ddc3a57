import type { Command } from 'commander';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { RunAnswer } from './api-answers.ts';
import { idArgument, type CommandContext } from './context.ts';

interface Action {
  description: string;
  /** Whether a reason may be given, or has to be. */
  reason?: 'optional' | 'required';
  help: string;
  /** What is said about the run that the server answers with. */
  tell: (run: RunAnswer) => string;
}

const isNow: Action['tell'] = ({ id, spec, state, reason }) =>
  `run ${id} of ${spec} is ${state}. ${reason}`;

const ACTIONS = {
  retry: {
    description: 'run the same revision again, with the same spec',
    help: `
It becomes a run of its own, with its own log and statuses.

Example:
  $ mainsheet runs --state failed --limit 1
  $ mainsheet retry 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    tell: (run) =>
      `run ${run.id} of ${run.spec} at ${run.sha.slice(0, 7)} is ${run.state}. ${run.reason}; watch it with "mainsheet logs -f ${run.id}"`,
  },
  cancel: {
    description: 'stop a run that waits or runs',
    help: '\nA step that runs gets SIGTERM, and a little later SIGKILL, with everything it started.',
    tell: (run) =>
      run.state === 'running'
        ? `run ${run.id} of ${run.spec} is being stopped`
        : `run ${run.id} of ${run.spec} is ${run.state}`,
  },
  approve: {
    description: 'approve a run that waits for approval',
    reason: 'optional',
    help: `
It counts once for each person, for this run alone.

Example:
  $ mainsheet runs --state blocked
  $ mainsheet approve 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    tell: isNow,
  },
  reject: {
    description: 'cancel a run that waits for approval',
    reason: 'optional',
    help: `
Example:
  $ mainsheet reject 01k8m3z0q4vtb1f8s6w2y9xk3d --reason "not before the release notes"`,
    tell: isNow,
  },
  override: {
    description: 'let a run start outside its window',
    reason: 'required',
    help: `
Approvals that it waits for it still needs.

Example:
  $ mainsheet override 01k8m3z0q4vtb1f8s6w2y9xk3d --reason "fixes the outage"`,
    tell: isNow,
  },
} satisfies Record<string, Action>;

/** `mainsheet retry RUN`, and each other command that does one thing to one run. */
export function runAction(name: keyof typeof ACTIONS) {
  const { description, help, tell, reason }: Action = ACTIONS[name];
  return (program: Command, context: CommandContext): void => {
    const command = program
      .command(name)
      .description(description)
      .argument('<run>', 'id of the run, as "mainsheet runs" shows it', idArgument)
      .option('--json', 'print the run as JSON')
      .addHelpText('after', help)
      .action(
        context.action(async (id: string, options: { json?: true; reason?: string }) => {
          const api = await context.api();
          const run = await api.act(name, id, options.reason);
          context.terminal.line(options.json ? cleanJson(run) : cleanLine(tell(run)));
        }),
      );
    const option = '--reason <text>';
    if (reason === 'optional') command.option(option, 'why, for people; GitHub shows it');
    if (reason === 'required') command.requiredOption(option, 'why; it is shown and audited');
  };
}
