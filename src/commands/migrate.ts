import { join } from 'node:path';
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { copySqliteToPostgres } from '../store/copy.ts';
import { cleanJson } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { formatTable } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `mainsheet migrate sqlite-to-postgres`: moves an installation from one process to several. */
export function migrateCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('migrate')
    .description('move what Mainsheet remembers to another database')
    .command('sqlite-to-postgres')
    .description('copy the SQLite store into an empty PostgreSQL database')
    .option('--json', 'print JSON: [{table, rows}]')
    .addHelpText(
      'after',
      `
Copies mainsheet.db in MAINSHEET_DATA_DIR into the database that DATABASE_URL names, everything or
nothing. Stop the server first. The file stays as it is; start the server with DATABASE_URL afterwards.

Example:
  $ DATABASE_URL_FILE=database-url.txt mainsheet migrate sqlite-to-postgres`,
    )
    .action(
      context.action(async (options: { json?: true }) => {
        const read = readConfig(context.env, { isTerminal: false, requireWebhookSecret: false });
        if ('problems' in read) {
          for (const problem of read.problems) terminal.note(`mainsheet: ${problem}`);
          return 2;
        }
        const { dataDir, databaseUrl } = read.config;
        if (databaseUrl === undefined) {
          throw new UsageError('no-database-url', 'DATABASE_URL is not set', {
            hint: 'set it to the empty PostgreSQL database that the store is to be copied into',
          });
        }
        const copied = await copySqliteToPostgres(
          join(dataDir, 'mainsheet.db'),
          databaseUrl,
          ({ table, rows, of }) =>
            terminal.note(terminal.paintNote('dim', `${table}: ${rows} of ${of}`)),
        );
        if (options.json) terminal.line(cleanJson(copied));
        else {
          const columns = [
            { title: 'TABLE', cell: (one: (typeof copied)[number]) => one.table },
            { title: 'ROWS', cell: (one: (typeof copied)[number]) => `${one.rows}` },
          ];
          for (const line of formatTable(copied, columns, terminal)) terminal.line(line);
        }
      }),
    );
}
