import { randomUUID } from 'node:crypto';
import type * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { describeError, RetryableError } from '../lib/errors.ts';
import {
  AskError,
  NotUnderstoodError,
  RefusedError,
  type Ask,
  type Answer,
  type Question,
} from './ask.ts';
import type { StepContext, StepResult } from './contract.ts';
import { isStopping, readKept, withinTime } from './ending.ts';
import { createRemoteOutput, type RemoteOutput, type Shown } from './remote-output.ts';

/** Between two looks at what was started, unless the other system wants more time. */
const LOOK_EVERY_MS = 5000;
/** How often another system may fail to answer in a row before the step fails. */
const MOST_FAILURES = 12;
/** How often what may have been started is looked for before it is started again, unless the other system wants more time. */
const FIND_TRIES = 3;
/** So often what may have been started is looked for that is to be cancelled, at the most. */
const FIND_TO_END_MS = 2000;
/** For a cancel, and for one that has to find what was started first. */
const END_MS = 10_000;
const FIND_AND_END_MS = 20_000;
/** By how much the clock of another system may be behind. */
const CLOCKS_DIFFER_MS = 3_600_000;

/** What was started, as the step keeps it. `work` is undefined while it is not known whether it was started. */
interface Kept {
  /** What this start is called, so that it can be found. */
  id: string;
  /** When that was kept, in milliseconds since 1970. */
  at?: number;
  work?: string;
  /** Undefined: the log has none of its output. */
  shown?: Shown;
}

/** What is known to have been started. */
type Begun = Kept & { work: string };

/** How a look at it came out: the step's end, or that it goes on, as a text when it is called otherwise from now on. */
export type Look = StepResult | string | undefined;

/** What a start is called, and since when it may be there by any clock, in milliseconds since 1970. */
export interface Start {
  id: string;
  since: number;
}

/** Work that another system does. */
export interface Remote {
  /** Starts it under the name `id`, and gives what it is found by from now on. */
  start(id: string): Promise<string>;
  /** What was started under that name, if it was. Throws TerminalError when that cannot be known: then nothing is started again. */
  find(start: Start): Promise<string | undefined>;
  /** Tells the log what is new, and whether it is over. */
  look(work: string, start: Start): Promise<Look>;
  cancel(work: string): Promise<void>;
}

interface Pace {
  clock: Clock;
  lookEveryMs?: number;
  findTries?: number;
}

/**
 * Has another system do the step's work, and waits for its end. What was started is on the disk before it is waited for, so that
 * a step that goes on after a restart finds it and does not start it twice. A cancelled step cancels it, also where its start was not
 * answered yet; a controller that stops leaves it going.
 */
export async function runRemote(
  { clock, lookEveryMs = LOOK_EVERY_MS, findTries = FIND_TRIES }: Pace,
  context: Pick<StepContext, 'signal' | 'timeoutMs' | 'kept' | 'keep' | 'log' | 'logAndKeep'>,
  connect: (signal: AbortSignal, output: RemoteOutput) => Remote,
): Promise<StepResult> {
  const before = readKept(context.kept) as Kept | undefined;
  /** What may have been started. */
  let named = before;
  let begun: Begun | undefined;
  const shown = before?.shown ?? { at: 0, more: 0 };
  const output = createRemoteOutput(context, shown, (now) => {
    if (begun !== undefined) begun = { ...begun, shown: now };
    return JSON.stringify(begun);
  });
  const remote = (until: AbortSignal) => connect(until, output);

  async function follow(signal: AbortSignal): Promise<StepResult> {
    const system = remote(signal);
    if (named === undefined) {
      const fresh: Kept = { id: `mainsheet-${randomUUID()}`, at: clock.now() };
      await context.keep(JSON.stringify(fresh));
      named = fresh;
    }
    const pace = { clock, lookEveryMs, findTries };
    begun = await begin(pace, context, system, { named, isNew: before === undefined }, signal);
    for (let failures = 0; ;) {
      let pauseMs = lookEveryMs;
      try {
        const found = await system.look(begun.work, startOf(begun));
        if (typeof found === 'object') return found;
        failures = 0;
        if (found !== undefined && found !== begun.work) {
          begun = { ...begun, work: found };
          await context.keep(JSON.stringify(begun));
        }
      } catch (error) {
        failures += 1;
        if (signal.aborted || !mayPass(error) || failures >= MOST_FAILURES) throw error;
        if (error instanceof RetryableError) pauseMs = Math.max(pauseMs, error.retryAfterMs ?? 0);
        context.log('stderr', `${describeError(error)}; looking again\n`);
      }
      await clock.sleep(pauseMs, signal);
      signal.throwIfAborted();
    }
  }

  return await withinTime(context, async (signal) => {
    try {
      return await follow(signal);
    } catch (error) {
      const isToEnd = signal.aborted && !isStopping(context.signal);
      const pace = { clock, lookEveryMs: Math.min(lookEveryMs, FIND_TO_END_MS), findTries };
      const started = begun ?? named;
      if (started !== undefined && isToEnd) await end(pace, context, remote, started);
      throw error;
    }
  });
}

async function begin(
  pace: Required<Pace>,
  context: Pick<StepContext, 'keep' | 'log'>,
  system: Remote,
  { named, isNew }: { named: Kept; isNew: boolean },
  signal: AbortSignal,
): Promise<Begun> {
  if (named.work !== undefined) {
    context.log('stdout', 'Going on with what was started before\n');
    return { ...named, work: named.work };
  }
  const look = async () => await find(pace, system, startOf(named), signal);
  const found = isNew ? undefined : await look();
  const work = found ?? (await start(context, system, named.id, look, signal));
  const begun: Begun = { ...named, work };
  await context.keep(JSON.stringify(begun));
  return begun;
}

/** Starts it. Where the answer is lost, what was started all the same is looked for by its name. */
async function start(
  { log }: Pick<StepContext, 'log'>,
  system: Remote,
  id: string,
  look: () => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await system.start(id);
  } catch (error) {
    if (signal.aborted || error instanceof RefusedError || !mayPass(error)) throw error;
    log('stderr', `${describeError(error)}; looking whether it was started\n`);
    const found = await look();
    if (found === undefined) throw error;
    return found;
  }
}

function startOf({ id, at = 0 }: Kept): Start {
  return { id, since: at - CLOCKS_DIFFER_MS };
}

/** What was started a moment ago may be shown only later. */
async function find(
  { clock, lookEveryMs, findTries }: Required<Pace>,
  system: Remote,
  start: Start,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let [tries, failures] = [0, 0]; tries < findTries;) {
    await clock.sleep(lookEveryMs, signal);
    signal.throwIfAborted();
    try {
      const work = await system.find(start);
      if (work !== undefined) return work;
      tries += 1;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !mayPass(error) || failures >= MOST_FAILURES) throw error;
    }
  }
  return undefined;
}

function mayPass(error: unknown): boolean {
  return error instanceof AskError || error instanceof RetryableError;
}

/** With a signal of its own: that of the step is aborted already. */
async function end(
  pace: Required<Pace>,
  context: Pick<StepContext, 'log'>,
  remote: (signal: AbortSignal) => Remote,
  started: Kept,
): Promise<void> {
  const signal = AbortSignal.timeout(started.work === undefined ? FIND_AND_END_MS : END_MS);
  try {
    const system = remote(signal);
    const work = started.work ?? (await find(pace, system, startOf(started), signal));
    if (work !== undefined) await system.cancel(work);
    else context.log('stderr', 'It is not known whether it was started: nothing was found\n');
  } catch (error) {
    context.log('stderr', `It could not be cancelled: ${describeError(error)}\n`);
  }
}

/** Asks, and gives only an answer with one of these statuses; 200 to 299 by default. Throws AskError. */
export async function askFor(
  ask: Ask,
  question: Question,
  isGood: (status: number) => boolean = (status) => status >= 200 && status < 300,
): Promise<Answer> {
  const answer = await ask(question);
  if (isGood(answer.status)) return answer;
  const isRefusal = answer.status >= 400 && answer.status < 500 && answer.status !== 408;
  const Kind = isRefusal ? RefusedError : AskError;
  throw new Kind(`${new URL(question.url).host} answered ${answer.status}`);
}

/** What `who` has answered. Throws NotUnderstoodError: what is between may have answered, so it may pass. */
export function understand<T>(who: string, schema: z.ZodType<T>, { body }: Answer): T {
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  const place = error.issues[0]?.path.map(String).join('.') ?? '';
  const where = place === '' ? '' : ` at "${place}"`;
  throw new NotUnderstoodError(`${who} has not answered as it documents${where}`);
}
