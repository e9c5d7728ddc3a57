import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** `mainsheet serve`: the controller itself. Configured by the environment only. */
export function serveCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('run the controller: take webhooks, deploy, report back')
    .addHelpText(
      'after',
      `
The environment configures it; what is wrong with it is listed all at once. At the least:
  GITHUB_WEBHOOK_SECRET                       what GitHub signs deliveries with
  GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY    or GITHUB_TOKEN: how to report back
  MAINSHEET_DEPLOYMENTS                       where the deployment specs are (./deployments)

With no GitHub set and no App made it prints a link to a page that makes one.

Example:
  $ GITHUB_WEBHOOK_SECRET_FILE=secret.txt mainsheet serve`,
    )
    .action(context.action(() => context.serve()));
}
