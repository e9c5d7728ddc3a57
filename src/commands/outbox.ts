import { Option, type Command } from 'commander';
import type { CallbackAnswer } from './api-answers.ts';
import { cleanJson, cleanLine, cleanText } from '../lib/clean-text.ts';
import { entryArgument, limitArgument, type CommandContext } from './context.ts';
import { printPage } from './page.ts';
import type { Column } from './table.ts';
import type { Terminal } from './terminal.ts';

interface ListOptions {
  state: string;
  limit: string;
  cursor?: string;
  json?: true;
}

/** `mainsheet outbox [ID]`: dead letters, newest first, or one of them. */
export function outboxCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('outbox')
    .description('list what GitHub and webhooks could not be told, or look at one of them')
    .argument('[id]', 'number of the callback', entryArgument)
    .addOption(
      new Option('--state <state>', 'only those in this state')
        .choices(['pending', 'sent', 'obsolete', 'dead'])
        .default('dead'),
    )
    .option('--limit <number>', 'how many, 1 to 200', limitArgument, '20')
    .option('--cursor <cursor>', 'go on where a page ended')
    .option('--json', 'print JSON: {items, next}, or the callback')
    .addHelpText(
      'after',
      `
A callback is dead when it was refused for good, or when a day of tries was not enough. Mend
the cause, then "mainsheet resend".`,
    )
    .action(
      context.action(async (id: string | undefined, { json, ...filter }: ListOptions) => {
        const api = await context.api();
        if (id !== undefined) {
          const entry = await api.callback(id);
          if (json) terminal.line(cleanJson(entry));
          else say(terminal, entry);
          return 0;
        }
        const page = await api.outbox({ ...filter });
        const none = `no callback is ${filter.state}`;
        printPage(terminal, page, { json, columns: COLUMNS, none });
      }),
    );
}

const COLUMNS: Column<CallbackAnswer>[] = [
  { title: 'ID', cell: (entry) => entry.id },
  { title: 'STATE', cell: (entry) => entry.state },
  { title: 'KIND', cell: (entry) => entry.kind },
  { title: 'TELLS', cell: (entry) => entry.tells },
  { title: 'RUN', cell: (entry) => entry.run ?? '-' },
  { title: 'TRIES', cell: (entry) => String(entry.attempts) },
  { title: 'ERROR', cell: (entry) => entry.error ?? '-' },
];

function say(terminal: Terminal, entry: CallbackAnswer): void {
  const rows = Object.entries(entry).filter(([, value]) => value !== null);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
    terminal.line(`${cleanLine(name).padEnd(width)}  ${cleanText(text)}`);
  }
}
