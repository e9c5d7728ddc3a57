import { isoTime } from '../lib/clock.ts';
import type { LoadedSpec } from './deployment-spec.ts';
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

/** A pause as a viewer may know it. */
export interface SeenPause extends PauseTarget {
  since: number;
  /** Undefined, and `reason` empty, for those who may not see all that it holds: it may be about the other part. */
  by: string | undefined;
  reason: string;
}

export function withoutReason({ kind, name, since }: Pause): SeenPause {
  return { kind, name, since, by: undefined, reason: '' };
}

/**
 * What a run that waits because of a pause says: who, when and why, as far as those may know it who see the run. Its beginning is
 * what GitHub has room for.
 */
export function pauseReason({ kind, name, since, by, reason }: SeenPause): string {
  const why = reason === '' ? '' : `: ${reason}`;
  const who = by === undefined ? '' : ` by ${by}`;
  return `Paused${who} since ${isoTime(since).slice(0, 16)}Z (${kind} ${name})${why}`;
}

/** Whether a run is one that the pause keeps from starting. */
export function isHeldBy(run: Pick<Run, 'spec' | 'lane'>, { kind, name }: PauseTarget): boolean {
  return run[kind] === name;
}

/** Whether specs of other repositories than the run's deploy in its lane. */
export function isLaneOfOthers(
  run: Pick<Run, 'lane' | 'repository'>,
  specs: readonly Pick<LoadedSpec, 'spec'>[],
): boolean {
  const own = run.repository.toLowerCase();
  return specs.some(
    ({ spec }) => spec.concurrency.lane === run.lane && spec.repository.toLowerCase() !== own,
  );
}
