import type { Command } from 'commander';
import type { RunAnswer } from './api-answers.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { idArgument, type CommandContext } from './context.ts';

/** `mainsheet deploy SPEC [REVISION]`: the server looks the revision up in git. */
export function deployCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('deploy')
    .description('deploy a commit by hand, whatever the triggers of the spec say')
    .argument('<spec>', 'a deployment spec, as "mainsheet specs" shows it', idArgument)
    .argument('[revision]', 'a branch, a tag or a commit (default: the branch that the spec names)')
    .option('--json', 'print the run as JSON')
    .addHelpText(
      'after',
      `
A branch or tag of the repository has to lead to the commit. It may be an older one: what was asked
for by hand is deployed. It waits its turn in its lane, and takes the place of what waits there;
the next push deploys the newest revision again.

Examples:
  $ mainsheet deploy storefront
  $ mainsheet deploy storefront v1.4.2
  $ mainsheet deploy storefront 3f8a91c`,
    )
    .action(
      context.action(
        async (spec: string, revision: string | undefined, { json }: { json?: true }) => {
          const run = await (await context.api()).deploy(spec, revision);
          terminal.line(json ? cleanJson(run) : cleanLine(tell(run)));
        },
      ),
    );
}

function tell({ id, spec, sha, ref, state, reason }: RunAnswer): string {
  const what = `${spec} at ${sha.slice(0, 7)} (${ref.replace(/^refs\/(?:heads|tags)\//, '')})`;
  return state === 'blocked'
    ? `run ${id} will deploy ${what}. ${reason}`
    : `run ${id} deploys ${what}; watch it with "mainsheet logs -f ${id}"`;
}
