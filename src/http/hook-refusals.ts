import type { Clock } from '../lib/clock.ts';

/** Hooks whose refusals are kept: of more, those go that were refused longest ago. */
const MOST_HOOKS = 1000;

/** How often requests to a hook were refused for a reason. */
export interface RefusedCount {
  /** The code of the error. */
  code: string;
  count: number;
  /** Milliseconds since the epoch. */
  lastAt: number;
}

/** Why requests to the hooks were refused, as far as this process knows. */
export interface HookRefusals {
  /** Since when, in milliseconds since the epoch. */
  since: number;
  /** Only of a hook that is there: ids come from outside. */
  note(hook: string, code: string): void;
  /** The most frequent first. */
  of(hook: string): RefusedCount[];
}

export function createHookRefusals(clock: Pick<Clock, 'now'>): HookRefusals {
  const counts = new Map<string, Map<string, RefusedCount>>();
  return {
    since: clock.now(),

    note(hook, code) {
      const own = counts.get(hook) ?? new Map<string, RefusedCount>();
      own.set(code, { code, count: (own.get(code)?.count ?? 0) + 1, lastAt: clock.now() });
      // Last in the map: the first is the one to go.
      counts.delete(hook);
      counts.set(hook, own);
      const [oldest] = counts.keys();
      if (counts.size > MOST_HOOKS && oldest !== undefined) counts.delete(oldest);
    },

    of: (hook) => [...(counts.get(hook)?.values() ?? [])].toSorted((a, b) => b.count - a.count),
  };
}
