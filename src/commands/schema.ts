import type { Command } from 'commander';
import { hookJsonSchema, specJsonSchema } from '../spec/json-schema.ts';
import type { CommandContext } from './context.ts';

/** `mainsheet schema`: what editors check deployment specs with. */
export function schemaCommand(program: Command, context: CommandContext): void {
  program
    .command('schema')
    .description('print the JSON Schema of deployment specs')
    .option('--hook', 'that of hooks')
    .addHelpText(
      'after',
      `
Example:
  $ mainsheet schema > deployments/schema.json
and in the first line of a spec, for editors:
  # yaml-language-server: $schema=schema.json`,
    )
    .action(
      context.action(async (options: { hook?: true }) => {
        const schema = options.hook === true ? hookJsonSchema() : specJsonSchema();
        await context.terminal.write(`${JSON.stringify(schema, undefined, 2)}\n`);
      }),
    );
}
