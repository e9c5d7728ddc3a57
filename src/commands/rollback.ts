import type { Command } from 'commander';
import { MainsheetError, TerminalError } from '../lib/errors.ts';
import type { Api } from './api-client.ts';
import type { RolledBackAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { idArgument, type CommandContext } from './context.ts';

interface Options {
  to?: string | undefined;
  resume?: true | undefined;
  reason?: string | undefined;
  json?: true;
}

/** `mainsheet rollback (SPEC | RUN) [--to RUN]` */
export function rollbackCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('rollback')
    .description('deploy an earlier revision again')
    .argument('<spec or run>', 'a deployment spec, or the run to go back behind', idArgument)
    .option('--to <run>', 'the successful run whose revision is deployed again', idArgument)
    .option('--resume', 'let the next commit be deployed: the lane is not paused')
    .option('--reason <text>', 'why, for people; GitHub shows it')
    .option('--json', 'print the run as JSON')
    .addHelpText(
      'after',
      `
Without --to it is what was deployed before <run>, or before what is deployed, and never
what a rollback went back from. The lane is paused, so that the next push
does not undo it: "mainsheet resume --lane" lets newer commits be deployed again.

Examples:
  $ mainsheet rollback storefront --reason "the cart is empty"
  $ mainsheet runs --spec storefront --state succeeded
  $ mainsheet rollback storefront --to 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    )
    .action(
      context.action(async (name: string, { to, resume, reason, json }: Options) => {
        const run = await rollBack(await context.api(), name, { to, resume, reason });
        terminal.line(json ? cleanJson(run) : tell(run).split('\n').map(cleanLine).join('\n'));
      }),
    );
}

/** A run's id could be the name of a spec, so the server is asked for a run first. */
async function rollBack(api: Api, name: string, how: Options): Promise<RolledBackAnswer> {
  try {
    return await api.rollback('runs', name, how);
  } catch (error) {
    if (!(error instanceof MainsheetError) || error.code !== 'run-unknown') throw error;
    try {
      return await api.rollback('specs', name, how);
    } catch (second) {
      if (!(second instanceof MainsheetError) || second.code !== 'spec-unknown') throw second;
      throw new TerminalError(error.code, error.message, {
        hint: `"mainsheet runs" lists runs; ${name} is no deployment spec with runs either`,
      });
    }
  }
}

function tell(run: RolledBackAnswer): string {
  const { id, spec, sha, state, paused } = run;
  const does =
    state === 'blocked'
      ? `run ${id} will take ${spec} back to ${sha.slice(0, 7)}. ${run.reason}`
      : `run ${id} takes ${spec} back to ${sha.slice(0, 7)}; watch it with "mainsheet logs -f ${id}"`;
  if (!paused) return does;
  return `${does}\nthe ${paused.kind} ${paused.name} is paused, so that the next commit does not undo it; "mainsheet resume --lane ${paused.name}" ends that`;
}
