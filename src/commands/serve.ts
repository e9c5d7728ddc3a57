import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** Answers with the address of a new channel. */
const NEW_CHANNEL = 'https://smee.io/new';

/** `mainsheet serve`: the controller itself. The environment configures it. */
export function serveCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('run the controller: take webhooks, deploy, report back')
    .option('--tunnel [url]', 'take deliveries through a channel of smee.io; for development only')
    .addHelpText(
      'after',
      `
The environment configures it; what is wrong with it is listed all at once. At the least:
  GITHUB_WEBHOOK_SECRET                       what GitHub signs deliveries with
  GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY    or GITHUB_TOKEN: how to report back
  MAINSHEET_DEPLOYMENTS                       where the deployment specs are (./deployments)

With no GitHub set and no App made it prints a link to a page that makes one.

Examples:
  $ GITHUB_WEBHOOK_SECRET_FILE=secret.txt mainsheet serve
  $ mainsheet serve --tunnel      then: mainsheet hooks ensure`,
    )
    .action(
      context.action(({ tunnel }: { tunnel?: string | true }) => {
        const url = tunnel === true ? NEW_CHANNEL : tunnel;
        return context.serve(url === undefined ? {} : { MAINSHEET_TUNNEL: url });
      }),
    );
}
