import type { Run } from '../../model/run.ts';

/** What the audit says of a rollback. `reason`: that of its run, `Rollback to 0123456: why (run r1)`. Pure. */
export function sayRollback(
  { id, lane }: Pick<Run, 'id' | 'lane'>,
  reason: string,
  isPaused: boolean,
): string {
  return `made run ${id}: ${reason}${isPaused ? `; the lane ${lane} is paused` : ''}`;
}

/** Why a person has rolled back, from what the audit says of it; undefined when they gave no reason. Pure. */
export function whyRolledBack(detail: string): string | undefined {
  return /^made run \S+: Rollback to [0-9a-f]+: (.+) \(run [^()\s]+\)(?:; the lane .* is paused)?$/.exec(
    detail,
  )?.[1];
}
