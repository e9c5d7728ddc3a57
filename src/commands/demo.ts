import type { Command } from 'commander';
import { errorCode, MainsheetError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';

/** `mainsheet demo`: the main way, on this machine, with stand-ins for GitHub. Gives the demo's own exit code. */
export function demoCommand(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('watch a push become a deployment, without an account')
    .option('--once', 'end after the deployment instead of staying up')
    .option('--json', 'print the timeline as JSON')
    .action(
      context.action(async (options: { once?: true; json?: true }) => {
        try {
          const { runDemo } = await import('../../demo/main.ts');
          return await runDemo({
            once: options.once === true,
            json: options.json === true,
            stdout: context.stdout,
            signal: context.signal,
          });
        } catch (error) {
          throw isMissingModule(error) ? notInstalled(error) : error;
        }
      }),
    );
}

/** The image for production does without the stand-ins for GitHub. */
function notInstalled(cause: unknown): MainsheetError {
  return new MainsheetError('demo-not-installed', 'the demo is not part of this installation', {
    cause,
    hint: 'it comes with the package from npm, and not with the image',
  });
}

function isMissingModule(error: unknown): boolean {
  return ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(errorCode(error) ?? '');
}
