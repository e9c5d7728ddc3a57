import { Command, CommanderError } from 'commander';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { cleanLine, cleanText } from '../lib/clean-text.ts';
import { createContext, type CommandContext, type ProgramDeps } from './context.ts';
import { helpCommand } from './help.ts';
import { createTerminal, mayColour } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export type { ProgramDeps } from './context.ts';

/** Behind what is wrong with a command line. */
const USAGE_HINT =
  '  hint: --help behind a command says what it takes; "mainsheet --help" lists the commands';

type Register = (program: Command, context: CommandContext) => void;

/** The commands in the help's order. Each file is read when its command is asked for. */
const COMMANDS: Record<string, Record<string, () => Promise<Register>>> = {
  'Run it:': {
    serve: async () => (await import('./serve.ts')).serveCommand,
    demo: async () => (await import('./demo.ts')).demoCommand,
    doctor: async () => (await import('./doctor.ts')).doctorCommand,
    migrate: async () => (await import('./migrate.ts')).migrateCommand,
  },
  'Write deployment specs:': {
    init: async () => (await import('./init.ts')).initCommand,
    validate: async () => (await import('./validate.ts')).validateCommand,
    explain: async () => (await import('./explain.ts')).explainCommand,
    backtest: async () => (await import('./backtest.ts')).backtestCommand,
    send: async () => (await import('./send.ts')).sendCommand,
    schema: async () => (await import('./schema.ts')).schemaCommand,
    import: async () => (await import('./import.ts')).importCommand,
  },
  'Look after deployments:': {
    runs: async () => (await import('./runs.ts')).runsCommand,
    logs: async () => (await import('./logs.ts')).logsCommand,
    login: async () => (await import('./login.ts')).loginCommand,
    retry: async () => (await import('./run-actions.ts')).runAction('retry'),
    cancel: async () => (await import('./run-actions.ts')).runAction('cancel'),
    approve: async () => (await import('./run-actions.ts')).runAction('approve'),
    reject: async () => (await import('./run-actions.ts')).runAction('reject'),
    override: async () => (await import('./run-actions.ts')).runAction('override'),
    why: async () => (await import('./why.ts')).whyCommand,
    environments: async () => (await import('./environments.ts')).environmentsCommand,
    hooks: async () => (await import('./hooks.ts')).hooksCommand,
    specs: async () => (await import('./specs.ts')).specsCommand,
    deliveries: async () => (await import('./deliveries.ts')).deliveriesCommand,
    deploy: async () => (await import('./deploy.ts')).deployCommand,
    rollback: async () => (await import('./rollback.ts')).rollbackCommand,
    replay: async () => (await import('./replay.ts')).replayCommand,
    pause: async () => (await import('./pause.ts')).pauseCommand,
    resume: async () => (await import('./resume.ts')).resumeCommand,
    pauses: async () => (await import('./pauses.ts')).pausesCommand,
    previews: async () => (await import('./previews.ts')).previewsCommand,
    outbox: async () => (await import('./outbox.ts')).outboxCommand,
    resend: async () => (await import('./resend.ts')).resendCommand,
  },
};

const AFTER_HELP = `
Environment:
  MAINSHEET_URL          where the server is (else http://127.0.0.1:$PORT, port 3000)
  MAINSHEET_ADMIN_TOKEN  the API's bearer token; MAINSHEET_ADMIN_TOKEN_FILE names a file with it
  MAINSHEET_DATA_DIR     where a server on this machine keeps the token that it made (else ./data)
  NO_COLOR               no colours

Exit codes:
  0  done
  1  the answer is no: an invalid spec, a failed run, a check that did not pass
  2  wrong usage or configuration
  3  could not be reached or done

Start here:
  $ mainsheet demo            see it work, without an account
  $ mainsheet doctor          find out what is missing
  $ mainsheet runs            what was deployed`;

/** The command line, with all commands or `only` one. `end` is given the exit code of the command that ran. */
export async function createProgram(
  deps: ProgramDeps,
  end: (exitCode: number) => void = () => {},
  only?: string,
): Promise<Command> {
  const { stdout, stderr, env } = deps;
  const program = new Command('mainsheet')
    .description('Deploys what is pushed: a GitOps controller driven by repository events.')
    .version(deps.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option('--server <url>', 'where the server is (default: $MAINSHEET_URL)')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError(USAGE_HINT)
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: (title) => `\u001b[1m${title}\u001b[22m`,
    })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(`mainsheet: ${cleanText(text.replace(/^error: /, ''))}`),
      getOutHelpWidth: () => helpWidth(stdout.columns),
      getErrHelpWidth: () => helpWidth(stderr.columns),
      getOutHasColors: () => mayColour(stdout, env),
      getErrHasColors: () => mayColour(stderr, env),
    })
    .addHelpText('after', AFTER_HELP);

  const context = createContext(deps, program, end);
  for (const [group, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(group);
    for (const [name, read] of Object.entries(commands)) {
      if (only === undefined || name === only) (await read())(program, context);
    }
  }
  program.commandsGroup('Other:');
  helpCommand(program);
  return program.helpCommand(false);
}

/**
 * Runs one command line (without the program's own name) and gives the exit code: 0 done, 1 the answer is no, 2 usage, 3 could not
 * reach or do it; 130 when the user stopped it. Never throws: errors are said here, once.
 */
export async function runProgram(deps: ProgramDeps, argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  // A reader that has had enough (`mainsheet runs | head`) is no error; it only makes the rest pointless.
  const closed = new AbortController();
  const onStreamError = () => closed.abort();
  deps.stdout.on('error', onStreamError);
  deps.stderr.on('error', onStreamError);
  const signal = AbortSignal.any([deps.signal, closed.signal]);
  try {
    const end = (code: number) => (exitCode = code);
    const program = await createProgram({ ...deps, signal }, end, commandOf(argv));
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (deps.signal.aborted) return 130;
    if (closed.signal.aborted) return 0;
    say(error, deps);
    return error instanceof UsageError ? 2 : 3;
  }
}

/** The command that a command line asks for; undefined when all have to be there, to show them or to find the nearest. */
function commandOf(argv: readonly string[]): string | undefined {
  const name = argv.find((word, index) => !word.startsWith('-') && argv[index - 1] !== '--server');
  const isOne = Object.values(COMMANDS).some((commands) => Object.hasOwn(commands, name ?? ''));
  return isOne ? name : undefined;
}

function say(error: unknown, deps: ProgramDeps): void {
  const terminal = createTerminal(deps);
  const mark = terminal.paintNote('red', 'mainsheet:');
  terminal.note(`${mark} ${cleanLine(describeError(error))}`);
  if (error instanceof MainsheetError && error.hint !== undefined) {
    terminal.note(`  ${terminal.paintNote('dim', 'hint:')} ${cleanLine(error.hint)}`);
  }
  if (deps.env['LOG_LEVEL'] === 'debug' && error instanceof Error) {
    terminal.note(cleanText(error.stack ?? ''));
  }
}

function helpWidth(columns: number | undefined): number {
  return Math.min(columns ?? 80, 120);
}
