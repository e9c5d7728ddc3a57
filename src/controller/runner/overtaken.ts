import { TerminalError } from '../../lib/errors.ts';
import { lateReason, laterThan, unreachedReason, type Order } from '../../runs/order.ts';
import { laneEffects, supersededBy } from '../../runs/plan.ts';
import type { Environments } from '../../store/environments.ts';
import type { Runs } from '../../store/runs.ts';
import type { Judged } from '../intake/judged.ts';

/**
 * By spec: why a new run is superseded as it is made. It would take the place of a run that has a newer revision than the
 * event's, which came late then (G4); or the event's ref does not lead to the revision.
 */
export type FindOvertaken = (
  judged: Judged,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, string>>;

export function createFindOvertaken(deps: {
  order: Order;
  runs: Runs;
  environments: Pick<Environments, 'get'>;
}): FindOvertaken {
  return async ({ event, verdicts }, signal) => {
    const overtaken = new Map<string, string>();
    if (!('sha' in event) || event.sha === undefined) return overtaken;
    const { repository, sha } = event;
    const branch = 'branch' in event ? event.branch : undefined;
    const candidate = { cause: 'event', repository, branch, sha } as const;

    async function later(other: { run: string; sha: string }) {
      try {
        return await laterThan(deps, candidate, other, signal);
      } catch (error) {
        // As in `createResolve`: the run cannot check anything out either, and GitHub hears why.
        if (!(error instanceof TerminalError)) throw error;
        return undefined;
      }
    }

    for (const { loaded, verdict } of verdicts) {
      if (!verdict.matched) continue;
      const { concurrency, name } = loaded.spec;
      const active = await deps.runs.active(concurrency.lane);
      const next = {
        id: '',
        spec: name,
        sequence: Infinity,
        cause: 'event',
        state: 'queued',
      } as const;
      const { supersede, cancel } = laneEffects(next, active, concurrency);
      for (const displaced of [...cancel, ...supersede]) {
        const late = await later({ run: displaced.id, sha: displaced.sha });
        const why =
          late?.why === 'dropped'
            ? `since ${sha.slice(0, 7)} is no longer on its branch`
            : undefined;
        if (late !== undefined) overtaken.set(name, supersededBy(displaced, why));
      }
      if (overtaken.has(name) || event.kind !== 'push') continue;
      if (event.standing?.reached !== false) continue;
      const deployed = await deps.environments.get(concurrency.lane, name);
      const late = deployed && (await later(deployed));
      overtaken.set(
        name,
        deployed !== undefined && late !== undefined
          ? lateReason(sha, { deployed: deployed.sha, later: late.sha, why: late.why })
          : unreachedReason(event.ref, sha, event.standing.head),
      );
    }
    return overtaken;
  };
}
