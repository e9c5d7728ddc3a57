import { Option, type Command } from 'commander';
import type { HookAnswer, HooksAnswer, HookTrialAnswer } from './api-answers.ts';
import { formatVerdict } from '../spec/explain.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { HOOK_METHODS } from '../model/hook.ts';
import { idArgument, type CommandContext } from './context.ts';
import { hooksEnsureCommand } from './hooks-ensure.ts';
import { readPayload } from './payload-file.ts';
import { printPage } from './page.ts';
import type { Column } from './table.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

type Row = [hook: string, from: string, starts: string];

const COLUMNS: Column<Row>[] = [
  { title: 'HOOK', cell: ([hook]) => hook },
  { title: 'FROM', cell: ([, from]) => from },
  { title: 'STARTS', cell: ([, , starts]) => starts },
];

const configuredRow = ({
  id,
  sender,
  server,
  file,
  line,
  specs,
}: HooksAnswer['configured'][number]): Row => [
  id,
  `${sender}, ${file}:${line}`,
  server ? `what pushes and releases on ${server} start` : specs.join(', ') || '-',
];

const madeRow = ({ id, hook, owner, expiresAt, specs }: HookAnswer): Row => [
  id,
  `${hook}, for ${owner} until ${expiresAt}`,
  specs.join(', ') || `what ${hook} starts`,
];

interface Created {
  owner: string;
  spec?: string[];
  input?: string[];
  expires?: string;
  json?: true;
}

/** `mainsheet hooks`: where senders can start runs. */
export function hooksCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  const hooks = program
    .command('hooks')
    .description('list, make, remove and try hooks, at which any sender can start runs');

  hooksEnsureCommand(hooks, context);
  hooks
    .command('list')
    .description('hooks in files, and those that were made here, newest first')
    .option('--owner <name>', 'only those that were made for this owner')
    .option('--limit <number>', 'how many')
    .option('--cursor <cursor>', 'go on where the page before ended')
    .option('--json', 'print JSON')
    .action(
      context.action(async ({ json, ...filter }: Record<string, string> & { json?: true }) => {
        const answer = await (await context.api()).hooks(filter);
        const { items, configured, next } = answer;
        if (json) terminal.line(cleanJson(answer));
        else {
          const rows = [...configured.map(configuredRow), ...items.map(madeRow)];
          printPage(terminal, { items: rows, next }, { json, columns: COLUMNS, none: 'no hooks' });
        }
      }),
    );

  hooks
    .command('create')
    .description('make a hook with an id and a secret of its own, for some time')
    .argument('<hook>', 'id of the configured hook of which it takes everything else')
    .requiredOption('--owner <name>', 'for whom it is')
    .option('--spec <name...>', 'the only specs that it may start')
    .option('--input <name=value...>', 'inputs that no request changes')
    .option('--expires <duration>', 'how long it lasts (default: 30d)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe secret is printed once, and never again.')
    .action(
      context.action(async (hook: string, options: Created) => {
        const { owner, spec, input = [], expires, json } = options;
        const made = await (
          await context.api()
        ).createHook({
          hook,
          owner,
          ...(spec === undefined ? {} : { specs: spec }),
          inputs: Object.fromEntries(input.map(pairOf)),
          ...(expires === undefined ? {} : { expires }),
        });
        sayHook(terminal, made, json);
      }),
    );

  hooks
    .command('rotate')
    .description('make a new secret for a hook; the one before counts for some time more')
    .argument('<id>', 'id of the hook', idArgument)
    .option('--overlap <duration>', 'how long (default: 24h)')
    .option('--json', 'print JSON')
    .action(
      context.action(async (id: string, { overlap, json }: { overlap?: string; json?: true }) => {
        sayHook(terminal, await (await context.api()).rotateHook(id, overlap), json);
      }),
    );

  hooks
    .command('delete')
    .description('remove a hook that was made here')
    .argument('<id>', 'id of the hook', idArgument)
    .action(
      context.action(async (id: string) => {
        await (await context.api()).deleteHook(id);
        terminal.line(`hook ${cleanLine(id)} is removed`);
      }),
    );

  hooks
    .command('test')
    .description('say what a request to a hook would start; nothing is stored')
    .argument('<id>', 'id of the hook', idArgument)
    .addOption(
      new Option('--method <method>', 'default: the first that the hook takes').choices(
        HOOK_METHODS,
      ),
    )
    .option('--payload <file>', 'the body; - reads standard input; only GET needs none')
    .option('--header <name=value...>', 'a header of the request')
    .option('--query <name=value...>', 'a parameter of the URL')
    .option('--exit-code', 'exit with 1 when nothing would start')
    .option('--json', 'print JSON')
    .action(
      context.action(
        async (
          id: string,
          options: {
            method?: string;
            payload?: string;
            header?: string[];
            query?: string[];
            exitCode?: true;
            json?: true;
          },
        ) => {
          const { method, payload } = options;
          if (payload === undefined && method !== 'GET') {
            throw new UsageError('usage', 'give the body with --payload, or --method GET');
          }
          const body = payload && (await readPayload(payload, context.stdin)).text;
          const trial = await (
            await context.api()
          ).testHook(id, {
            method,
            body,
            headers: Object.fromEntries((options.header ?? []).map(pairOf)),
            query: Object.fromEntries((options.query ?? []).map(pairOf)),
          });
          if (options.json) terminal.line(cleanJson(trial));
          else sayTrial(terminal, trial);
          return options.exitCode && !trial.specs.some(({ matched }) => matched) ? 1 : 0;
        },
      ),
    );
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError('usage', `"${text}" is not of the form name=value`);
}

function sayHook(terminal: Terminal, hook: HookAnswer & { secret: string }, json?: true): void {
  if (json) return terminal.line(cleanJson(hook));
  terminal.line(`path    /${hook.path}`);
  terminal.line(`secret  ${hook.secret}`);
  terminal.line(`until   ${hook.expiresAt}`);
}

function sayTrial(terminal: Terminal, { refused, inputs, specs }: HookTrialAnswer): void {
  if (refused !== null) {
    terminal.note(cleanLine(`the request as it is would be refused: ${refused}`));
  }
  for (const [name, value] of Object.entries(inputs)) {
    terminal.line(cleanLine(`${name} = ${JSON.stringify(value)}`));
  }
  if (specs.length === 0) terminal.line('no deployment spec names the hook');
  for (const { spec, ...verdict } of specs) terminal.line(formatVerdict(cleanLine(spec), verdict));
}
