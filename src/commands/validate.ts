import { Option, type Command } from 'commander';
import { readServers } from '../config/servers.ts';
import type { Loaded } from '../spec/load.ts';
import { formatProblem, type SpecProblem } from '../spec/problem.ts';
import { untoldServers } from '../spec/server-checks.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { allowedLimits, defaultSpecsPath, loadLocalSpecs } from './local-specs.ts';
import type { Terminal } from './terminal.ts';
import { workflowCommand } from './workflow-command.ts';

interface Options {
  json?: true;
  format?: 'text' | 'github';
}

/** `mainsheet validate [PATH]`: exit code 1 when anything is wrong, or when there is no spec at all. */
export function validateCommand(program: Command, context: CommandContext): void {
  const { terminal, env } = context;
  program
    .command('validate')
    .description('check deployment specs, without a server')
    .argument('[path]', 'a spec or a directory of specs (default: $MAINSHEET_DEPLOYMENTS)')
    .option('--json', 'print JSON: {valid, specs, problems, warnings}')
    .addOption(
      new Option(
        '--format <format>',
        'github: problems as GitHub Actions shows them beside the line',
      ).choices(['text', 'github']),
    )
    .addHelpText(
      'after',
      `
All problems of all files are listed, each as file:line:column. Exit code 1 when there are any.
Warnings go to standard error: what is valid, and hardly meant.
Limits of steps are held against MAINSHEET_STEP_LIMITS, and servers against MAINSHEET_SERVERS, when
these are set.

Examples:
  $ mainsheet validate
  $ mainsheet validate deployments/storefront.yaml
  $ mainsheet validate deployments --format github`,
    )
    .action(
      context.action(async (given: string | undefined, options: Options) => {
        const path = given ?? defaultSpecsPath(env);
        const servers = env['MAINSHEET_SERVERS']?.trim() ? readServers(env).servers : undefined;
        const loaded = await loadLocalSpecs(path, allowedLimits(env), servers);
        const { specs, hooks, problems } = loaded;
        const warnings = [
          ...loaded.warnings,
          ...(servers === undefined ? untoldServers(loaded) : []),
        ];
        const valid = problems.length === 0 && specs.length + hooks.length > 0;
        if (options.json) {
          const items = specs.map(({ spec, file, line }) => ({
            name: spec.name,
            repository: spec.repository,
            environment: spec.environment,
            file,
            line,
          }));
          terminal.line(cleanJson({ valid, specs: items, problems, warnings }));
          return valid ? 0 : 1;
        }
        if (options.format === 'github') {
          for (const one of problems) terminal.line(cleanLine(workflowCommand('error', one)));
          for (const one of warnings) terminal.line(cleanLine(workflowCommand('warning', one)));
        }
        for (const warning of options.format === 'github' ? [] : warnings) {
          const label = terminal.paintNote('yellow', 'warning:');
          terminal.note(`${label} ${cleanLine(formatProblem(warning))}`);
        }
        if (problems.length > 0) {
          if (options.format === 'github') sayCount(terminal, problems.length);
          else sayProblems(terminal, problems);
        } else if (valid) {
          const found = [
            ...(specs.length > 0 || hooks.length === 0 ? [count(specs.length, 'valid spec')] : []),
            ...(hooks.length > 0 ? [count(hooks.length, 'valid hook')] : []),
          ];
          terminal.line(`${terminal.paint('green', '✓')} ${found.join(', ')}`);
        } else {
          terminal.note(`mainsheet: there is no deployment spec in ${cleanLine(path)}`);
          terminal.note('  hint: specs are files that end in .yaml or .yml');
        }
        return valid ? 0 : 1;
      }),
    );
}

/**
 * The specs of a command that needs valid ones, by default those of the environment; undefined when they are not valid, which has then
 * been said.
 */
export async function validSpecs(
  { terminal, env }: Pick<CommandContext, 'terminal' | 'env'>,
  given: string | undefined,
  json?: true,
): Promise<Loaded | undefined> {
  const loaded = await loadLocalSpecs(given ?? defaultSpecsPath(env), allowedLimits(env));
  const { problems } = loaded;
  if (problems.length === 0) return loaded;
  if (json) terminal.line(cleanJson({ valid: false, problems }));
  else sayProblems(terminal, problems);
  return undefined;
}

/** One line for each problem on standard output, and their number on standard error. */
function sayProblems(terminal: Terminal, problems: readonly SpecProblem[]): void {
  for (const problem of problems) terminal.line(cleanLine(formatProblem(problem)));
  sayCount(terminal, problems.length);
}

function sayCount(terminal: Terminal, problems: number): void {
  const number = count(problems, 'problem');
  terminal.note(terminal.paintNote('red', `✗ ${number} in the deployment specs`));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
