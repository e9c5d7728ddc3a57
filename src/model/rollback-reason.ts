import type { Run } from './run.ts';

/** What the audit says of a rollback. `reason`: that of its run, `Rollback to 0123456: why (run r1)`; `paused`: the lane that is paused after it; `delivery`: what has asked for it, when it was a request to a hook. Pure. */
export function sayRollback(
  { id }: Pick<Run, 'id'>,
  reason: string,
  { paused, delivery }: { paused: string | undefined; delivery: string | undefined },
): string {
  const after = paused === undefined ? '' : `; the lane ${paused} is paused`;
  return `made run ${id}: ${reason}${after}${delivery === undefined ? '' : `; asked by delivery ${delivery}`}`;
}

/** Why it was rolled back, from what the audit says of it; undefined when no reason was given. Pure. */
export function whyRolledBack(detail: string): string | undefined {
  return /^made run \S+: Rollback to [0-9a-f]+: (.+) \(run [^()\s]+\)(?:; the lane .* is paused)?(?:; asked by delivery \S+)?$/.exec(
    detail,
  )?.[1];
}

/** The delivery that asked for a rollback, from what the audit says of it; undefined when none did. Pure. */
export function rollbackDelivery(detail: string): string | undefined {
  return /; asked by delivery (\S+)$/.exec(detail)?.[1];
}
