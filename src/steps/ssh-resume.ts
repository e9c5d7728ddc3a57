import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { describeError, errorCode } from '../lib/errors.ts';
import type { SshStepSpec } from '../spec/steps/ssh.ts';
import type { StepContext, StepResult } from './contract.ts';
import { environmentElsewhere } from './environment.ts';
import { failedStep, isStopping, readKept, reasonOf, succeeded, within } from './ending.ts';
import { createRemoteOutput, type RemoteOutput, type Shown } from './remote-output.ts';
import { logIn, openShell, SshError, type Connection, type Shell } from './ssh-connection.ts';
import { createFrames, type End } from './ssh-frames.ts';
import { followInput, forgetInput, greetingOf, stopInput } from './ssh-program.ts';
import type { Targets } from './targets.ts';

/** Between two tries to log in again. */
const AGAIN_MS = 5000;
/** How often in a row a machine may not be reached, while its script goes on, before the step fails. */
const MOST_FAILURES = 12;
/** How long a machine may take over what it is told to end or to forget, beyond the script's own time. */
const ENDING_MS = 10_000;

/** What the step keeps: the name of what it starts, what the log has of it, and how it came out once that is known. */
interface Kept {
  id: string;
  stdout: Shown;
  stderr: Shown;
  result?: StepResult;
}

interface Deps {
  targets: Targets;
  clock: Clock;
  killGraceMs: number;
}

/** What all connections of an attempt have in common. */
interface Attempt {
  deps: Deps;
  context: StepContext<SshStepSpec>;
  id: string;
  output: { stdout: RemoteOutput; stderr: RemoteOutput };
  /** Whether its script may have begun. */
  hasBegun: boolean;
}

/**
 * Has a machine do the script under an id that is on the disk before, and follows it there: through connections that break, and after
 * a restart. A step that is cancelled or takes too long ends it; a controller that stops leaves it going. Throws the signal's reason
 * when that comes first, and what keeps it from beginning.
 */
export async function runResumable(
  deps: Deps,
  context: StepContext<SshStepSpec>,
  signal: AbortSignal,
): Promise<StepResult> {
  const before = readKept(context.kept) as Kept | undefined;
  if (before?.result !== undefined) return before.result;
  const nothing: Shown = { at: 0, more: 0 };
  let kept = before ?? { id: `mainsheet-${randomUUID()}`, stdout: nothing, stderr: nothing };
  if (before === undefined) await context.keep(JSON.stringify(kept));
  else context.log('stderr', 'Going on with what was started before\n');

  /** Of each stream, what the log has not got yet. */
  const held = { stdout: 0, stderr: 0 };
  const outputTo = (stream: 'stdout' | 'stderr') => {
    const logAndKeep: StepContext['logAndKeep'] = (text, keptOf) => {
      const noting = (units: number) => keptOf((held[stream] = units));
      return context.logAndKeep(text, noting, stream);
    };
    return createRemoteOutput({ log: context.log, logAndKeep }, kept[stream], (shown) => {
      kept = { ...kept, [stream]: shown };
      return JSON.stringify(kept);
    });
  };
  const output = { stdout: outputTo('stdout'), stderr: outputTo('stderr') };
  const attempt = { deps, context, id: kept.id, output, hasBegun: before !== undefined };
  try {
    return await followToEnd(attempt, signal, async (end, connection) => {
      const result = resultOf(context.step, end);
      // What the log has not got yet would have to be read there again after a restart.
      if (held.stdout + held.stderr === 0) {
        await context.keep(JSON.stringify({ ...kept, result }));
        await say(attempt, connection, forgetInput(kept.id), ENDING_MS).catch(() => {});
      }
      return result;
    });
  } catch (error) {
    const isToEnd = signal.aborted && !isStopping(context.signal);
    if (isToEnd && attempt.hasBegun) await endThere(attempt);
    throw error;
  }
}

async function followToEnd(
  attempt: Attempt,
  signal: AbortSignal,
  settle: (end: End, connection: Connection) => Promise<StepResult>,
): Promise<StepResult> {
  const { deps, context, output } = attempt;
  const progress = () => output.stdout.at() + output.stderr.at();
  for (let failures = 0; ;) {
    const before = progress();
    try {
      using connection = await logIn(deps.targets, context, signal);
      attempt.hasBegun = true;
      const end = await follow(attempt, connection, signal);
      if (end !== undefined) return await settle(end, connection);
      throw new SshError(`the connection to ${context.step.host} ended before the script did`);
    } catch (error) {
      failures = progress() > before ? 1 : failures + 1;
      const mayPass = attempt.hasBegun && error instanceof SshError && failures < MOST_FAILURES;
      if (signal.aborted || !mayPass) throw error;
      context.log('stderr', `${describeError(error)}; connecting again\n`);
    }
    await deps.clock.sleep(AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

/** How the script came out; undefined when the connection ended before it. Throws the signal's reason when that comes first. */
async function follow(
  { context, deps, id, output }: Attempt,
  { client, channel, ended, closed }: Connection,
  signal: AbortSignal,
): Promise<End | undefined> {
  const from = { o: output.stdout.at(), e: output.stderr.at() };
  const frames = createFrames(greetingOf(id), from);
  client.on('error', () => {});
  channel.stderr.resume();
  const stop = () => channel.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const seconds = (ms: number) => Math.ceil(ms / 1000);
    const work = {
      id,
      env: environmentElsewhere(context),
      script: context.step.run,
      grace: seconds(deps.killGraceMs),
      timeout: seconds(context.timeoutMs),
    };
    channel.write(followInput(work, from));
    for await (const chunk of channel as AsyncIterable<Buffer>) {
      const { o, e, end } = frames.read(chunk);
      if (o !== undefined) await output.stdout.show(o.text, o.at);
      if (e !== undefined) await output.stderr.show(e.text, e.at);
      if (end !== undefined) return end;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RangeError) return { kind: 'refused', why: error.message };
    if (errorCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  if (frames.isGreeted()) return undefined;
  await within(deps.clock, ENDING_MS, closed);
  if (ended.code === undefined) return undefined;
  return { kind: 'refused', why: 'it does not do what a shell is told' };
}

/** With a signal of its own: that of the step is aborted already. */
async function endThere(attempt: Attempt): Promise<void> {
  const { deps, context, id } = attempt;
  const ms = deps.killGraceMs + ENDING_MS;
  try {
    using connection = await logIn(deps.targets, context, AbortSignal.timeout(ms));
    const input = stopInput(id, Math.ceil(deps.killGraceMs / 1000));
    if (await say(attempt, connection, input, ms, connection)) return;
  } catch (error) {
    context.log('stderr', `${describeError(error)}\n`);
  }
  context.log(
    'stderr',
    `${context.step.host} does not say that it has ended: it may go on there\n`,
  );
}

/** Has a shell there do what it is told, and says whether it did within the time. */
async function say(
  { deps: { clock } }: Pick<Attempt, 'deps'>,
  { client }: Connection,
  input: string,
  ms: number,
  open?: Shell,
): Promise<boolean> {
  const { channel, ended, closed } = open ?? (await openShell(client));
  channel.resume();
  channel.stderr.resume();
  client.on('error', () => {});
  channel.write(input);
  await within(clock, ms, closed);
  return ended.code !== undefined;
}

function resultOf({ host }: SshStepSpec, end: End): StepResult {
  if (end.kind === 'refused') {
    return failedStep(
      `${host} cannot keep a script apart from its connection: ${end.why} (with "resume: false" it ends with the connection)`,
    );
  }
  if (end.kind === 'gone') {
    const why = end.why === '' ? 'it was killed there, or the machine was started again' : end.why;
    return failedStep(`it ended on ${host} without an exit status: ${why}`);
  }
  const { status } = end;
  if (status === 0) return succeeded();
  return failedStep(reasonOf({ exitCode: status, signal: null }), status);
}
