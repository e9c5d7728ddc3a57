import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { News } from '../../model/news.ts';
import type { Store } from '../../store/index.ts';
import { eventStream, type EventStream } from '../api/event-stream.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { PageRoute } from './page.ts';

/** A page hears of changes this often at most. */
const QUIET_MS = 1000;
/** For each page that listens, so that however many there are they ask for no more than 40 pages a second. */
const QUIET_EACH_MS = 25;
/** A stream ends after so long and is opened again: who is logged out hears no more then. */
const LONGEST_MS = 10 * 60_000;

/**
 * `GET /live`: an event `changed` when something has changed, and nothing else; the page then asks for what it shows. With
 * `?run=` only what concerns that run, with `?of=deliveries` also deliveries.
 */
export function liveRoutes(deps: {
  store: Store;
  news: Broadcast<News>;
  clock: Pick<Clock, 'sleep'>;
}): PageRoute[] {
  let listening = 0;

  async function follow(
    stream: EventStream,
    concerns: (item: News) => boolean | Promise<boolean>,
  ): Promise<void> {
    const ended = AbortSignal.any([stream.signal, AbortSignal.timeout(LONGEST_MS)]);
    let wake = () => {};
    let isDue = false;
    const unsubscribe = deps.news.subscribe((item) => {
      void Promise.resolve(concerns(item))
        .catch(() => true)
        .then((does) => {
          isDue ||= does;
          if (does) wake();
        });
    });
    listening += 1;
    try {
      while (!ended.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (isDue || ended.aborted) resolve();
          ended.addEventListener('abort', () => resolve(), { once: true });
        });
        if (ended.aborted) return;
        isDue = false;
        await stream.send('changed', {});
        await deps.clock.sleep(Math.max(QUIET_MS, listening * QUIET_EACH_MS), ended);
      }
    } finally {
      listening -= 1;
      unsubscribe();
    }
  }

  return [
    {
      method: 'get',
      path: '/live',
      async serve({ ctx, query }, viewer) {
        const run = query.get('run');
        const withDeliveries = query.get('of') === 'deliveries';
        const stream = eventStream(ctx, deps.store.flushed);
        const concerns = (item: News) => {
          if (run !== null && !('run' in item && item.run === run)) return false;
          if (item.kind === 'log') return false;
          if (item.kind === 'delivery') return withDeliveries && viewer.canSee(item.repository);
          return viewer.visible === undefined || mayHear(deps.store, viewer, item);
        };
        follow(stream, concerns)
          .catch((error: unknown) => stream.fail(error))
          .finally(() => stream.end());
        return undefined;
      },
    },
  ];
}

/** That something happened to a run is for those who may see its repository. */
async function mayHear(store: Pick<Store, 'runs'>, viewer: Viewer, item: News): Promise<boolean> {
  if (!('run' in item)) return false;
  const run = await store.runs.get(item.run);
  return run !== undefined && viewer.canSee(run.repository);
}
