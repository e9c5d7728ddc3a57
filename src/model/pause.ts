import { isoTime } from '../lib/clock.ts';
import type { Run } from './run.ts';

/** What can be paused: a deployment spec, or a lane with every spec whose runs wait in it. */
export interface PauseTarget {
  kind: 'spec' | 'lane';
  name: string;
}

/** As long as it is there, no run of its target starts. */
export interface Pause extends PauseTarget {
  /** Milliseconds since the epoch. */
  since: number;
  /** Who asked for it, as the audit table names people. */
  by: string;
  /** Why, for people; empty when no reason was given. GitHub shows it. */
  reason: string;
}

/** What a run that waits because of a pause says: who, when and why. Its beginning is what GitHub has room for. */
export function pauseReason({ kind, name, since, by, reason }: Pause): string {
  const why = reason === '' ? '' : `: ${reason}`;
  return `Paused by ${by} since ${isoTime(since).slice(0, 16)}Z (${kind} ${name})${why}`;
}

/** Whether a run is one that the pause keeps from starting. */
export function isHeldBy(run: Pick<Run, 'spec' | 'lane'>, { kind, name }: PauseTarget): boolean {
  return run[kind] === name;
}
