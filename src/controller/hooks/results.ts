import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { News } from '../../model/news.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';

/** Senders that wait for results at the same time; more are answered at once. */
const MOST_WAITING = 200;
/** What another replica does may not be told of. */
const LOOK_AGAIN_MS = 1000;
const MOST_RUNS = 100;

/** What a delivery has made, as it is now. */
export interface Result {
  /** Whether the delivery was processed, and all its runs have ended. */
  isOver: boolean;
  runs: Run[];
}

/** Waits at most `ms` for what comes of a delivery. */
export type WaitForResult = (delivery: string, ms: number, signal: AbortSignal) => Promise<Result>;

export function createWaitForResult(deps: {
  store: Pick<Store, 'inbox' | 'runs'>;
  news: Broadcast<News>;
  clock: Pick<Clock, 'elapsed' | 'sleep'>;
}): WaitForResult {
  const { store, news, clock } = deps;
  let waiting = 0;

  async function look(id: string): Promise<Result> {
    const found = await store.inbox.get(id);
    const copied = found?.delivery.copyOf;
    const of = copied === undefined ? found : await store.inbox.get(copied);
    // By what was made of it: the run of a batch names another delivery.
    const ids = (of?.delivery.outcome?.specs ?? []).flatMap(({ run }) => run ?? []);
    const asked = await Promise.all(ids.slice(0, MOST_RUNS).map((run) => store.runs.get(run)));
    const runs = asked.filter((run) => run !== undefined);
    const isProcessed = of !== undefined && of.delivery.state !== 'pending';
    return { isOver: isProcessed && runs.every(({ state }) => hasEnded(state)), runs };
  }

  return async (delivery, ms, signal) => {
    const until = clock.elapsed() + (waiting < MOST_WAITING ? ms : 0);
    waiting += 1;
    let changed = new AbortController();
    const silence = news.subscribe((item) => {
      const isOurs =
        item.kind === 'delivery'
          ? item.delivery === delivery
          : item.kind === 'run' && hasEnded(item.state);
      if (isOurs) changed.abort();
    });
    try {
      for (;;) {
        const result = await look(delivery);
        const left = until - clock.elapsed();
        if (result.isOver || left <= 0 || signal.aborted) return result;
        await clock.sleep(Math.min(left, LOOK_AGAIN_MS), AbortSignal.any([signal, changed.signal]));
        changed = new AbortController();
      }
    } finally {
      silence();
      waiting -= 1;
    }
  };
}
