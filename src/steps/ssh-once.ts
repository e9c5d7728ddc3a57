import { once } from 'node:events';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { SshStepSpec } from '../spec/steps/ssh.ts';
import type { StepContext, StepResult } from './contract.ts';
import { environmentElsewhere } from './environment.ts';
import { failedStep, reasonOf, succeeded, within } from './ending.ts';
import type { Connection } from './ssh-connection.ts';
import { exported, quoted } from './ssh-program.ts';

/** How long what the script left in the background may be silent before its output is not waited for any more. */
const DRAIN_MS = 1000;
/** How long a machine that was told to end a script may take over it, beyond the script's own time. */
const ENDING_MS = 5000;

/** Runs a script that ends with its connection. Throws the signal's reason when that came first. */
export async function runOnce(
  { clock, killGraceMs }: { clock: Clock; killGraceMs: number },
  { client, channel, ended, exited, closed }: Connection,
  context: StepContext<SshStepSpec>,
  signal: AbortSignal,
): Promise<StepResult> {
  const { step, log } = context;
  let pieces = 0;
  const show = (stream: 'stdout' | 'stderr') => (text: string) => {
    pieces += 1;
    log(stream, text);
  };
  channel.setEncoding('utf8').on('data', show('stdout'));
  channel.stderr.setEncoding('utf8').on('data', show('stderr'));
  // A connection that breaks closes the channel, too.
  client.on('error', (error) => log('stderr', `${step.host}: ${describeError(error)}\n`));
  channel.write(shellInput(environmentElsewhere(context), step.run, killGraceMs));

  const stopped = new AbortController();
  const aborted = once(signal, 'abort', { signal: stopped.signal }).catch(() => {});
  try {
    await Promise.race([exited, closed, signal.aborted ? undefined : aborted]);
    if (signal.aborted && ended.code === undefined) {
      channel.end();
      await within(clock, killGraceMs + ENDING_MS, Promise.race([exited, closed]));
      if (ended.code === undefined) {
        log('stderr', `${step.host} does not say that it has ended: it may go on there\n`);
      }
      signal.throwIfAborted();
    }
    for (let before = -1; before !== pieces;) {
      before = pieces;
      await within(clock, DRAIN_MS, closed);
    }
    return resultOf(step, ended);
  } finally {
    stopped.abort();
  }
}

function resultOf({ host }: SshStepSpec, { code, signal }: Connection['ended']): StepResult {
  if (code === 0) return succeeded();
  if (code === undefined) {
    return failedStep(`the connection to ${host} ended before the script did: it may go on there`);
  }
  return failedStep(reasonOf({ exitCode: code, signal }), code ?? undefined);
}

/**
 * What the shell there reads: each value quoted, so that it stays a value; then the script, whose own input is empty. Beside it
 * waits what ends its process group when the input of the shell ends, as it does with the connection. It is one block, which
 * the shell has read whole before it does any of it.
 */
export function shellInput(env: Record<string, string>, script: string, graceMs: number): string {
  return [
    'exec 3<&0',
    ...exported(env),
    '{',
    `( read -r _; trap '' TERM; kill -TERM 0; sleep ${Math.ceil(graceMs / 1000)}; kill -KILL 0 ) <&3 >/dev/null 2>&1 &`,
    'watchdog=$!',
    `( unset watchdog; set -e; eval ${quoted(script)} ) </dev/null 3<&-`,
    'status=$?; kill "$watchdog"; exit "$status"',
    '}',
    '',
  ].join('\n');
}
