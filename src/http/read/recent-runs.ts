import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { News } from '../../model/news.ts';
import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { UnderWay } from '../../store/lanes.ts';

const RUNS_OF_ONE = 12;
/** Of each spec in each state that is no end. */
const MOST_UNDER_WAY = 50;
/** Of all specs. Those that run are among them in any case. */
const MOST_OF_ALL = 2000;
/** What another process did is news here too; this is for what got lost on the way. */
const FRESH_MS = 5000;

/** Runs of each spec, remembered until something happens to one of them: the overview asks for all of them. */
export interface RecentRuns {
  /** The newest of a spec, newest first, whether they have ended or not. */
  of(spec: string): Promise<readonly Run[]>;
  /** What waits or runs of all specs, however many have been made since. */
  underWay(): Promise<UnderWay>;
}

export function createRecentRuns(deps: {
  store: Pick<Store, 'runs'>;
  news: Broadcast<News>;
  clock: Pick<Clock, 'elapsed'>;
}): RecentRuns {
  const { store, news, clock } = deps;
  const recent = createMemory<readonly Run[]>(clock);
  const underWay = createMemory<UnderWay>(clock);
  news.subscribe((item) => {
    if (item.kind !== 'run') return;
    recent.forget(item.spec);
    underWay.forget('');
  });
  return {
    of: (spec) =>
      recent.get(spec, async () => {
        const page = await store.runs.list({ limit: RUNS_OF_ONE, before: undefined }, { spec });
        return page.items;
      }),
    underWay: () =>
      underWay.get('', () => store.runs.underWay({ each: MOST_UNDER_WAY, most: MOST_OF_ALL })),
  };
}

function createMemory<Value>(clock: Pick<Clock, 'elapsed'>) {
  const known = new Map<string, { value: Promise<Value>; at: number }>();
  return {
    forget: (key: string) => known.delete(key),
    async get(key: string, read: () => Promise<Value>): Promise<Value> {
      const entry = known.get(key);
      if (entry !== undefined && clock.elapsed() - entry.at < FRESH_MS) return await entry.value;
      const value = read();
      known.set(key, { value, at: clock.elapsed() });
      try {
        return await value;
      } catch (error) {
        known.delete(key);
        throw error;
      }
    },
  };
}
