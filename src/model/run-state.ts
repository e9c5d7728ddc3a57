import { TerminalError } from '../lib/errors.ts';
import { hasEnded, type Run, type RunState } from './run.ts';

/** Everything that can happen to a run after it was made. */
export type RunCommand =
  | { type: 'start' }
  | { type: 'block'; reason: string }
  | { type: 'unblock' }
  /** A step in its middle waits for people. */
  | { type: 'park'; reason: string }
  | { type: 'succeed'; outputs: Record<string, string>; reason?: string }
  | { type: 'fail'; fault: 'step' | 'mainsheet'; reason: string }
  | { type: 'cancel'; reason: string }
  | { type: 'supersede'; reason: string };

/** Which states each command may be given in. `start` in `running` takes up a run whose process died; `block` in `blocked`: it waits for something else. */
const ALLOWED: Record<RunCommand['type'], readonly RunState[]> = {
  start: ['queued', 'running'],
  block: ['queued', 'blocked'],
  unblock: ['blocked'],
  park: ['running'],
  succeed: ['running'],
  fail: ['queued', 'blocked', 'running'],
  cancel: ['queued', 'blocked', 'running'],
  supersede: ['queued', 'blocked', 'running'],
};

/** Characters. */
export const LONGEST_REASON = 500;

/** The run after the command. Pure. Throws TerminalError `illegal-transition` when the run's state does not allow it. */
export function applyCommand(run: Run, command: RunCommand, now: number): Run {
  if (!ALLOWED[command.type].includes(run.state)) {
    throw new TerminalError(
      'illegal-transition',
      `run ${run.id} is ${run.state}: there is nothing to ${command.type}`,
      hasEnded(run.state)
        ? { hint: 'a run that has ended never changes; retry makes a new one' }
        : {},
    );
  }
  switch (command.type) {
    case 'start':
      return {
        ...run,
        state: 'running',
        reason: run.attempts === 0 ? 'Running' : `Running again: attempt ${run.attempts + 1}`,
        attempts: run.attempts + 1,
        startedAt: run.startedAt ?? now,
      };
    case 'block':
    case 'park':
      return { ...run, state: 'blocked', reason: cut(command.reason) };
    case 'unblock':
      return { ...run, state: 'queued', reason: `Waiting in lane ${run.lane}` };
    case 'succeed':
      return end(run, 'succeeded', command.reason ?? done(run), now, { outputs: command.outputs });
    case 'fail':
      return end(run, 'failed', command.reason, now, { fault: command.fault });
    case 'cancel':
      return end(run, 'cancelled', command.reason, now);
    case 'supersede':
      return end(run, 'superseded', command.reason, now);
  }
}

function end(run: Run, state: RunState, reason: string, now: number, more: Partial<Run> = {}): Run {
  return { ...run, ...more, state, reason: cut(reason), finishedAt: now };
}

function done({ event }: Run): string {
  return event === 'teardown' ? 'Taken down' : 'Deployed';
}

function cut(reason: string): string {
  return reason.slice(0, LONGEST_REASON);
}
