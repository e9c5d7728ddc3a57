import { constants } from 'node:os';
import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import type { StepContext, StepResult } from './contract.ts';

// How steps end, whatever kind they are of.

/** The longest time a timer can run. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** How a program ended: the one or the other is set. */
export interface Ended {
  exitCode: number | null;
  signal: string | null;
}

/**
 * Does a step's work: its signal aborts with the step's own, and when the step's time is over. What the work throws then is the step's
 * cancel or timeout, anything else its failure.
 */
export async function withinTime(
  context: Pick<StepContext, 'signal' | 'timeoutMs'>,
  work: (signal: AbortSignal) => Promise<StepResult>,
): Promise<StepResult> {
  const late = AbortSignal.timeout(Math.min(context.timeoutMs, MAX_TIMER_MS));
  try {
    return await work(AbortSignal.any([context.signal, late]));
  } catch (error) {
    if (context.signal.aborted) return cancelled(context.signal);
    if (late.aborted) return timedOut(context.timeoutMs);
    const hint = hintOf(error);
    return failedStep(`${describeError(error)}${hint === undefined ? '' : ` (${hint})`}`);
  }
}

export function succeeded(outputs: Record<string, string> = {}): StepResult {
  return { outcome: 'succeeded', exitCode: 0, outputs };
}

export function failedStep(reason: string, exitCode?: number): StepResult {
  return { outcome: 'failed', exitCode, reason };
}

export function timedOut(timeoutMs: number): StepResult {
  return { outcome: 'timed-out', reason: `it took longer than its ${formatDuration(timeoutMs)}` };
}

/** The step's end when its signal is aborted. */
export function cancelled(signal: AbortSignal): StepResult {
  const reason: unknown = signal.reason;
  if (typeof reason === 'string') return { outcome: 'cancelled', reason };
  if (reason instanceof Error) return { outcome: 'cancelled', reason: describeError(reason) };
  const given =
    typeof reason === 'object' && reason !== null && 'reason' in reason ? reason.reason : undefined;
  return { outcome: 'cancelled', reason: typeof given === 'string' ? given : 'cancelled' };
}

/** Whether it is no cancel of the run: this process stops, or has lost the run. */
export function isStopping({ aborted, reason }: AbortSignal): boolean {
  return aborted && (reason as { kind?: unknown } | undefined)?.kind === 'interrupt';
}

/**
 * Why a script failed, with what a shell says by certain codes:
 * https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html
 */
export function reasonOf({ exitCode, signal }: Ended): string {
  if (exitCode === null) return signalReason(signal);
  const by = Object.entries(constants.signals).find(([, number]) => number + 128 === exitCode);
  const meaning =
    exitCode === 127
      ? ' (command not found)'
      : exitCode === 126
        ? ' (command cannot be executed)'
        : by === undefined
          ? ''
          : ` (a command was ${signalReason(by[0])})`;
  return `exit code ${exitCode}${meaning}`;
}

function signalReason(signal: string | null): string {
  return `killed by ${signal ?? 'a signal'}${signal === 'SIGKILL' ? ', perhaps for want of memory' : ''}`;
}

/** What an attempt before has kept, as its kind wrote it; undefined for a first one. */
export function readKept(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}

/** Resolves when the promise does, or after so many milliseconds. */
export async function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([promise, clock.sleep(ms, done.signal)]).finally(() => done.abort());
}
