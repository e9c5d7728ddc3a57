import { Command, CommanderError } from 'commander';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { backtestCommand } from './backtest.ts';
import { cancelCommand } from './cancel.ts';
import { cleanLine, cleanText } from './clean-text.ts';
import { createContext, type ProgramDeps } from './context.ts';
import { demoCommand } from './demo.ts';
import { deliveriesCommand } from './deliveries.ts';
import { deployCommand } from './deploy.ts';
import { doctorCommand } from './doctor.ts';
import { environmentsCommand } from './environments.ts';
import { explainCommand } from './explain.ts';
import { helpCommand } from './help.ts';
import { logsCommand } from './logs.ts';
import { migrateCommand } from './migrate.ts';
import { outboxCommand } from './outbox.ts';
import { pauseCommand } from './pause.ts';
import { pausesCommand } from './pauses.ts';
import { replayCommand } from './replay.ts';
import { resendCommand } from './resend.ts';
import { resumeCommand } from './resume.ts';
import { retryCommand } from './retry.ts';
import { rollbackCommand } from './rollback.ts';
import { runsCommand } from './runs.ts';
import { schemaCommand } from './schema.ts';
import { sendCommand } from './send.ts';
import { serveCommand } from './serve.ts';
import { specsCommand } from './specs.ts';
import { createTerminal, mayColour } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { validateCommand } from './validate.ts';

export type { ProgramDeps } from './context.ts';

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

/** The command line of DESIGN §5. `end` is given the exit code of the command that ran. */
export function createProgram(
  deps: ProgramDeps,
  end: (exitCode: number) => void = () => {},
): Command {
  const { stdout, stderr, env } = deps;
  const program = new Command('mainsheet')
    .description('Deploys what is pushed: a GitOps controller driven by repository events.')
    .version(deps.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option('--server <url>', 'where the server is (default: $MAINSHEET_URL)')
    .exitOverride()
    .showSuggestionAfterError()
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
  program.commandsGroup('Run it:');
  serveCommand(program, context);
  demoCommand(program, context);
  doctorCommand(program, context);
  migrateCommand(program, context);
  program.commandsGroup('Write deployment specs:');
  validateCommand(program, context);
  explainCommand(program, context);
  backtestCommand(program, context);
  sendCommand(program, context);
  schemaCommand(program, context);
  program.commandsGroup('Look after deployments:');
  runsCommand(program, context);
  logsCommand(program, context);
  retryCommand(program, context);
  cancelCommand(program, context);
  environmentsCommand(program, context);
  specsCommand(program, context);
  deliveriesCommand(program, context);
  deployCommand(program, context);
  rollbackCommand(program, context);
  replayCommand(program, context);
  pauseCommand(program, context);
  resumeCommand(program, context);
  pausesCommand(program, context);
  outboxCommand(program, context);
  resendCommand(program, context);
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
  const program = createProgram({ ...deps, signal }, (code) => (exitCode = code));
  try {
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
