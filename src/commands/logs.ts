import type { Command } from 'commander';
import { backoffDelay } from '../lib/backoff.ts';
import { systemClock } from '../lib/clock.ts';
import { RetryableError } from '../lib/errors.ts';
import type { Api } from './api-client.ts';
import { cleanLine, createLogFilter } from '../lib/clean-text.ts';
import { idArgument, type CommandContext } from './context.ts';

interface Options {
  follow?: true;
  timestamps?: true;
}

const RECONNECT = { baseMs: 200, maxMs: 10_000 };
/** With the delays between them, a restart of the server may take about a minute. */
const MOST_RECONNECTS = 12;

/** `mainsheet logs RUN [-f]`: exit code 1 when the run that was followed did not succeed, or ended before its first step. */
export function logsCommand(program: Command, context: CommandContext): void {
  program
    .command('logs')
    .description("print a run's log")
    .argument('<run>', 'id of the run, as "mainsheet runs" shows it', idArgument)
    .option('-f, --follow', 'stay and print what comes, until the run ends')
    .option('-t, --timestamps', 'begin each line with its time')
    .addHelpText(
      'after',
      `
With --follow the exit code is 0 when the run succeeded and 1 when it did not; without it, 1 when
the run ended before its first step. Where there is no log, its state says why. On a terminal, colours in the log are kept, and what is followed has a line before each step; every other control sequence is taken out.

Example:
  $ mainsheet logs -f 01k8m3z0q4vtb1f8s6w2y9xk3d`,
    )
    .action(
      context.action(async (run: string, options: Options) => {
        const api = await context.api();
        return options.follow
          ? await follow(context, api, run, options)
          : await print(context, api, run, options);
      }),
    );
}

async function print(
  { terminal }: CommandContext,
  api: Api,
  run: string,
  options: Options,
): Promise<number> {
  const filter = logFilter(terminal);
  let isEmpty = true;
  for await (const text of await api.log(run, { timestamps: options.timestamps === true })) {
    isEmpty &&= text === '';
    await terminal.write(filter.push(text));
  }
  await terminal.write(filter.flush());
  const { state, reason, finishedAt, steps } = await api.run(run);
  if (isEmpty) terminal.note(cleanLine(`mainsheet: run ${run}: ${state}: ${reason}`));
  const hasBegun = steps.some(({ startedAt }) => startedAt !== null);
  return finishedAt !== null && state !== 'succeeded' && !hasBegun ? 1 : 0;
}

async function follow(
  { terminal, signal }: CommandContext,
  api: Api,
  run: string,
  options: Options,
): Promise<number> {
  let filter = logFilter(terminal);
  let names: (string | undefined)[] | undefined;
  let step: number | undefined;
  let last: number | undefined;
  let lineStart = true;
  let failures = 0;
  let failure: RetryableError | undefined;
  // A server that cannot be reached at all is an error; one that goes away may come back.
  let connected = false;

  for (;;) {
    try {
      const news = await api.follow(run, last);
      connected = true;
      for await (const item of news) {
        if (item.kind === 'end') {
          await terminal.write(filter.flush());
          return await conclude(item.state);
        }
        failures = 0;
        if (terminal.isTerminal) await head(item.step);
        last = item.seq;
        await terminal.write(filter.push(options.timestamps ? stamped(item) : item.text));
        lineStart = item.text.endsWith('\n');
      }
    } catch (error) {
      if (signal.aborted || !connected || !(error instanceof RetryableError)) throw error;
      failure = error;
    }
    signal.throwIfAborted();
    failures += 1;
    if (failures > MOST_RECONNECTS) throw failure ?? connectionLost(api);
    if (failures === 1) terminal.note('mainsheet: the connection was lost; connecting again');
    await systemClock.sleep(backoffDelay(failures, RECONNECT), signal);
    signal.throwIfAborted();
  }

  /** A line with the name of a step, where its part of the log begins. */
  async function head(next: number | undefined): Promise<void> {
    if (next === undefined || next === step) return;
    // What is said before the first step has none.
    if (next >= 0) names ??= (await api.run(run)).steps.map(({ name }) => name);
    step = next;
    if (names === undefined) return;
    const name = cleanLine(names[next] ?? `step ${next + 1}`);
    const end = `${filter.flush()}${lineStart ? '' : '\n'}`;
    filter = logFilter(terminal);
    lineStart = true;
    await terminal.write(`${end}${terminal.paint('bold', `── ${name} ──`)}\n`);
  }

  function stamped({ at, text }: { at: string; text: string }): string {
    const stamp = `${at} `;
    return (lineStart ? stamp : '') + text.replaceAll(/\n(?!$)/g, `\n${stamp}`);
  }

  async function conclude(state: string): Promise<number> {
    const done = state === 'succeeded';
    const word = terminal.paintNote(done ? 'green' : 'red', cleanLine(state));
    const why = last === undefined ? `: ${cleanLine((await api.run(run)).reason)}` : '';
    terminal.note(`mainsheet: run ${run}: ${word}${why}`);
    return done ? 0 : 1;
  }
}

/** What goes into a file or another program is left as it is. */
function logFilter(terminal: CommandContext['terminal']) {
  return terminal.isTerminal
    ? createLogFilter({ colour: terminal.colour })
    : { push: (text: string) => text, flush: () => '' };
}

function connectionLost(api: Api): RetryableError {
  return new RetryableError(
    'server-unreachable',
    `${api.url} ended the connection again and again`,
  );
}
