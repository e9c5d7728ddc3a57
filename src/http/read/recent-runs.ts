import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { News } from '../../model/news.ts';
import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';

const RUNS_OF_ONE = 12;
/** What another process did is news here too; this is for what got lost on the way. */
const FRESH_MS = 5000;

/** The newest runs of each spec, remembered until something happens to one of them: the overview asks for all of them. */
export interface RecentRuns {
  /** Newest first. */
  of(spec: string): Promise<readonly Run[]>;
}

export function createRecentRuns(deps: {
  store: Pick<Store, 'runs'>;
  news: Broadcast<News>;
  clock: Pick<Clock, 'elapsed'>;
}): RecentRuns {
  const { store, news, clock } = deps;
  const known = new Map<string, { runs: Promise<readonly Run[]>; at: number }>();
  news.subscribe((item) => {
    if (item.kind === 'run') known.delete(item.spec);
  });
  return {
    async of(spec) {
      const entry = known.get(spec);
      if (entry !== undefined && clock.elapsed() - entry.at < FRESH_MS) return await entry.runs;
      const page = store.runs.list({ limit: RUNS_OF_ONE, before: undefined }, { spec });
      const runs = page.then(({ items }) => items);
      known.set(spec, { runs, at: clock.elapsed() });
      try {
        return await runs;
      } catch (error) {
        known.delete(spec);
        throw error;
      }
    },
  };
}
