import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { describeError } from '../lib/errors.ts';
import { REPOSITORY, REPOSITORY_RULE } from '../lib/names.ts';
import { parseSpecs } from '../spec/load.ts';
import type { CommandContext } from './context.ts';
import { importWebhook, type ImportedHook } from './import/webhook.ts';
import { UsageError } from './usage-error.ts';

/** Bytes of a file that is read. */
const MOST_BYTES = 4 * 1024 * 1024;

/** `mainsheet import webhook`: what another program's file says, as hooks and specs. */
export function importCommand(program: Command, context: CommandContext): void {
  program
    .command('import')
    .description('translate the configuration of another program')
    .command('webhook')
    .description('hooks and specs from a hooks file of adnanh/webhook, JSON or YAML')
    .argument('<file>', 'what "webhook -hooks" is given')
    .requiredOption('--repository <owner/name>', 'whose commits the commands run in', repository)
    .option('--out <directory>', 'where the files are written', 'deployments')
    .addHelpText(
      'after',
      `
A hook of which a part cannot be translated is written so that it takes no requests, and says why. Secrets are not
written. Exit code 1: there are such hooks.

Example:
  $ mainsheet import webhook hooks.json --repository acme/storefront`,
    )
    .action(
      context.action(async (file: string, options: { repository: string; out: string }) => {
        const hooks = importWebhook(
          await read(resolve(context.directory, file)),
          options.repository,
        );
        const out = resolve(context.directory, options.out);
        for (const hook of hooks) check(hook);
        await mkdir(out, { recursive: true });
        for (const hook of hooks) {
          await write(join(out, `${hook.name}.yaml`), hook.text);
          await tell(context, hook, join(options.out, `${hook.name}.yaml`));
        }
        return hooks.some(({ problems }) => problems.length > 0) ? 1 : 0;
      }),
    );
}

function repository(text: string): string {
  if (REPOSITORY.test(text)) return text;
  throw new InvalidArgumentError(REPOSITORY_RULE);
}

async function read(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new UsageError('webhook-file', `cannot read ${file}`, { cause });
  }
  if (text.length <= MOST_BYTES) return text;
  throw new UsageError('webhook-file', `${file} is larger than ${MOST_BYTES} bytes`);
}

/** What is written is read by the same rules as every spec. */
function check({ name, text, problems, notes }: ImportedHook): void {
  const found = parseSpecs(`${name}.yaml`, text).problems;
  if (found.length === 0) return;
  const [first] = found;
  throw new UsageError('webhook-file', `the hook ${name} cannot be written: ${first?.message}`, {
    hint: ['take it out of the file, or mend it there', ...problems, ...notes].join('; '),
  });
}

/** What is there already stays as it is. */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (cause) {
    throw new UsageError('file-exists', `cannot write ${file}: ${describeError(cause)}`, {
      cause,
      hint: 'move what is there, or give another directory with --out',
    });
  }
}

async function tell({ terminal }: CommandContext, hook: ImportedHook, file: string): Promise<void> {
  const { name, problems, notes, secrets } = hook;
  const isOpen = problems.length === 0;
  const lines = [
    `${isOpen ? '✓' : '✗'} ${name}: ${file}${isOpen ? '' : ', which takes no requests'}`,
    ...problems.map((problem) => `  not translated  ${problem}`),
    ...notes.map((note) => `  note            ${note}`),
    ...secrets.map((one) => `  set             MAINSHEET_SECRET_${one.name}: ${one.place} has it`),
  ];
  await terminal.write(`${lines.join('\n')}\n`);
}
