import type { Mutex } from './mutex.ts';

/** Does the work. `started` is to be called at the instant from which on it may miss what changes. */
export type Work = (signal: AbortSignal, started: () => void) => Promise<void>;

/** Who asks. */
interface Asker {
  signal?: AbortSignal | undefined;
  /** By `now`: work under way that was asked for at that time or later is enough. Default: none is. */
  since?: number | undefined;
}

interface Flight {
  askedAt: number;
  askers: number;
  controller: AbortController;
  done: Promise<void>;
}

/**
 * Work that is shared by all who ask for it before it has started; those who come later get the next one, together, but for
 * those who say that what is under way will do. That of the first asker is done, in its turn under its key in `mutex`. The call resolves when work that started after it is done, and rejects as the work does. An asker
 * whose signal aborts leaves with the signal's reason; the work is aborted when the last one has left, and that one waits until it
 * is over.
 */
export function createSingleFlight(mutex: Mutex, now: () => number) {
  /** Those that have not started. */
  const open = new Map<string, Flight>();
  const underWay = new Map<string, Flight>();

  return async (key: string, work: Work, { signal, since = Infinity }: Asker): Promise<void> => {
    signal?.throwIfAborted();
    const started = underWay.get(key);
    const isNewEnough = started !== undefined && started.askedAt >= since;
    const flight = isNewEnough ? started : (open.get(key) ?? takeOff(key, work));
    flight.askers += 1;
    const left = Promise.withResolvers<never>();
    const leave = () => {
      flight.askers -= 1;
      if (flight.askers === 0) flight.controller.abort(signal?.reason);
      else left.reject(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([flight.done, left.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  };

  function takeOff(key: string, work: Work): Flight {
    const controller = new AbortController();
    const { signal } = controller;
    const close = () => {
      if (open.get(key) === flight) open.delete(key);
    };
    signal.addEventListener('abort', () => {
      close();
      if (underWay.get(key) === flight) underWay.delete(key);
    });
    const done = mutex.run(key, async () => {
      try {
        signal.throwIfAborted();
        await work(signal, () => {
          close();
          if (!signal.aborted) underWay.set(key, flight);
        });
      } finally {
        close();
        underWay.delete(key);
      }
    });
    // The askers hear of a failure; those who have left do not.
    done.catch(() => {});
    const flight: Flight = { askedAt: now(), askers: 0, controller, done };
    open.set(key, flight);
    return flight;
  }
}
