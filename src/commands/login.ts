import type { Command } from 'commander';
import { cleanJson } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';

/** `mainsheet login`: prints a link that opens the dashboard. */
export function loginCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('login')
    .description('print a link that logs a browser in to the dashboard, once')
    .option('--json', 'print the link and when it ends as JSON')
    .action(
      context.action(async (options: { json?: true }) => {
        const api = await context.api();
        const { path, expiresAt } = await api.loginLink();
        const url = `${api.url}/${path}`;
        terminal.line(options.json ? cleanJson({ url, expiresAt }) : url);
      }),
    );
}
