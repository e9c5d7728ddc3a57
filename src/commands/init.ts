import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { describeError, errorCode, MainsheetError } from '../lib/errors.ts';
import { cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { openCheckout, said, type OwnCheckout } from './own-checkout.ts';
import { proposeSpec, specNameOf } from './propose-spec.ts';
import { validSpecs } from './validate.ts';

interface Options {
  deployments: string;
  force?: true;
}

/** `mainsheet init`: exit code 1 when the file is there already, or what was written is not valid beside the other specs. */
export function initCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('init')
    .description('propose a deployment spec for the checkout that you stand in')
    .option('--deployments <directory>', 'where to write it, from where you stand', 'deployments')
    .option('--force', 'write over the file that is there')
    .addHelpText(
      'after',
      `
It reads the remote, the branch and the names of the files, and package.json and Makefile. Steps that
would change something elsewhere are comments: read them, then switch them on.

Example:
  $ mainsheet init && mainsheet explain --from HEAD`,
    )
    .action(
      context.action(async (options: Options) => {
        const checkout = await openCheckout(context);
        const directory = resolve(context.directory, options.deployments);
        const path = join(directory, `${specNameOf(checkout.repository)}.yaml`);
        const shown = cleanLine(relative(context.directory, path));
        const text = proposeSpec({
          ...checkout,
          branch: await deployedBranch(checkout),
          files: await filesOf(checkout),
          read: (file) => readText(join(checkout.root, file)),
        });
        await mkdir(directory, { recursive: true });
        try {
          await writeFile(path, text, { flag: options.force ? 'w' : 'wx' });
        } catch (error) {
          if (errorCode(error) !== 'EEXIST') {
            throw new MainsheetError('not-written', `cannot write ${path}`, {
              cause: describeError(error),
            });
          }
          terminal.note(`mainsheet: ${shown} is there already, and stays as it is`);
          terminal.note('  hint: mainsheet init --force writes over it');
          return 1;
        }
        if ((await validSpecs(context, directory)) === undefined) return 1;
        terminal.line(`${terminal.paint('green', '✓')} wrote ${shown}, a valid spec: read it`);
        terminal.note('  then see what a push would do: mainsheet explain --from HEAD');
      }),
    );
}

/** The remote's default branch, as the clone knows it; else the one that is checked out. */
async function deployedBranch({ git, remote, branch }: OwnCheckout): Promise<string> {
  const head = await said(git, 'symbolic-ref', '--quiet', `refs/remotes/${remote}/HEAD`);
  return head?.replace(`refs/remotes/${remote}/`, '') ?? branch;
}

/** All but those that git ignores. */
async function filesOf({ git }: OwnCheckout): Promise<string[]> {
  const listed = await git.raw('ls-files', '-z', '--cached', '--others', '--exclude-standard');
  return listed.split('\0').filter((file) => file !== '');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
