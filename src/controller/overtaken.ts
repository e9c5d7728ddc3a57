import { TerminalError } from '../lib/errors.ts';
import type { Run } from '../model/run.ts';
import { laterThan, type Lateness, type Order } from '../runs/order.ts';
import { laneEffects } from '../runs/plan.ts';
import type { Runs } from '../store/runs.ts';
import type { Judged } from './judged.ts';

/** A run that a new one would take the place of, and why that one came too late for it. */
export interface Overtaking {
  run: Run;
  why: Lateness;
}

/**
 * By spec: the run that a new one would take the place of, though it has a newer revision than the event's, which came
 * late then (G4).
 */
export type FindOvertaken = (
  judged: Judged,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, Overtaking>>;

export function createFindOvertaken(deps: { order: Order; runs: Runs }): FindOvertaken {
  return async ({ event, verdicts }, signal) => {
    const overtaken = new Map<string, Overtaking>();
    if (!('sha' in event) || event.sha === undefined) return overtaken;
    const { repository, sha } = event;
    for (const { loaded, verdict } of verdicts) {
      if (!verdict.matched) continue;
      const { concurrency, name } = loaded.spec;
      const active = await deps.runs.active(concurrency.lane);
      const branch = 'branch' in event ? event.branch : undefined;
      const candidate = { cause: 'event', repository, branch, sha } as const;
      const next = {
        id: '',
        spec: name,
        sequence: Infinity,
        cause: 'event',
        state: 'queued',
      } as const;
      const { supersede, cancel } = laneEffects(next, active, concurrency);
      for (const displaced of [...cancel, ...supersede]) {
        const other = { run: displaced.id, sha: displaced.sha };
        const later = await laterThan(deps, candidate, other, signal).catch((error: unknown) => {
          // As in `createResolve`: the run cannot check anything out either, and GitHub hears why.
          if (!(error instanceof TerminalError)) throw error;
          return undefined;
        });
        if (later !== undefined) overtaken.set(name, { run: displaced, why: later.why });
      }
    }
    return overtaken;
  };
}
