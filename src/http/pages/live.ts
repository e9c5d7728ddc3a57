import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { createWakeup } from '../../lib/wakeup.ts';
import type { News } from '../../model/news.ts';
import type { Store } from '../../store/index.ts';
import { eventStream, type EventStream } from '../api/event-stream.ts';
import { hears } from '../auth/hears.ts';
import type { Guard } from '../guard.ts';
import { createRepositoryOfRun } from '../read/run-repositories.ts';
import type { LogIndexes } from './log/log-index.ts';
import { get, type PageRoute } from './page.ts';

/** A page hears of changes this often at most. */
const QUIET_MS = 1000;
/** For each page that listens, so that however many there are they ask for no more than 40 pages a second. */
const QUIET_EACH_MS = 25;
/** A stream ends after so long and is opened again. */
const LONGEST_MS = 10 * 60_000;

/** A log that grows in another process is looked at this often. */
const LOOK_MS = 2000;
/** A log is told of this often at most. */
const LOG_QUIET_MS = 300;

/**
 * `GET /live`: an event `changed` at once and when something has changed, and nothing else; the page then asks for what it shows. With
 * `?run=` only what concerns that run, and an event `log` with, for each step, how many lines it has and the number of its newest piece; with `?of=deliveries` also
 * deliveries.
 */
export function liveRoutes(deps: {
  store: Store;
  news: Broadcast<News>;
  logs: LogIndexes;
  guard: Guard;
  clock: Pick<Clock, 'sleep'>;
}): PageRoute[] {
  const repositoryOfRun = createRepositoryOfRun(deps.store);
  let listening = 0;

  /** `run`: tells of its log, too. */
  async function follow(
    stream: EventStream,
    run: string | null,
    concerns: (item: News) => boolean | Promise<boolean>,
  ): Promise<void> {
    const ended = AbortSignal.any([stream.signal, AbortSignal.timeout(LONGEST_MS)]);
    const wakeup = createWakeup();
    // Something may have happened since the page was made, or the stream before was cut.
    let hasChanged = true;
    let told = '';
    const unsubscribe = deps.news.subscribe((item) => {
      if (item.kind === 'log') {
        if (item.run === run) wakeup.wake();
        return;
      }
      // What is told of next includes it.
      if (hasChanged) return;
      const does = concerns(item);
      if (typeof does === 'boolean') change(does);
      else does.then(change, () => change(true));
    });
    function change(does: boolean): void {
      if (!does) return;
      hasChanged = true;
      wakeup.wake();
    }
    listening += 1;
    try {
      while (!ended.aborted) {
        if (run !== null) {
          const steps = [...(await deps.logs.count(run))];
          const lines = steps.map(([step, log]) => [step, log.lines, log.newest]);
          if (told !== JSON.stringify(lines)) await stream.send('log', lines);
          told = JSON.stringify(lines);
        }
        if (hasChanged) {
          hasChanged = false;
          await stream.send('changed', {});
        }
        const quiet = Math.max(run === null ? QUIET_MS : LOG_QUIET_MS, listening * QUIET_EACH_MS);
        await deps.clock.sleep(quiet, ended);
        await wakeup.wait(run === null ? LONGEST_MS : LOOK_MS, ended);
      }
    } finally {
      listening -= 1;
      unsubscribe();
    }
  }

  return [
    get('/live', async ({ ctx, query }, viewer) => {
      const id = query.get('run');
      if (id !== null) await deps.guard.run(viewer, id);
      const withDeliveries = query.get('of') === 'deliveries';
      const stream = eventStream(ctx, deps.store.flushed);
      const concerns = (item: News) => {
        if (id !== null) return 'run' in item && item.run === id;
        return (item.kind !== 'delivery' || withDeliveries) && hears(viewer, item, repositoryOfRun);
      };
      follow(stream, id, concerns)
        .catch((error: unknown) => stream.fail(error))
        .finally(() => stream.end());
      return undefined;
    }),
  ];
}
