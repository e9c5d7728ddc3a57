import { gitStopped } from './git-failure.ts';

/** Fetches that are shared by all who ask in time. */
export interface SharedFetches {
  /**
   * Resolves when a fetch of `repository` that started after this call is done, and rejects as the fetch does. An asker whose
   * signal aborts leaves; the fetch itself is aborted when the last one has left, and that asker waits until it is over.
   */
  ask(repository: string, signal?: AbortSignal): Promise<void>;
  /** Whether a fetch of `repository` runs or waits. */
  isBusy(repository: string): boolean;
}

/** Does the fetch. `started` is to be called at the instant from which on changes on the server may be missed. */
export type Fetch = (repository: string, signal: AbortSignal, started: () => void) => Promise<void>;

interface Flight {
  started: boolean;
  askers: number;
  controller: AbortController;
  done: Promise<void>;
}

/**
 * One fetch at a time for each repository, whatever the case its name is written in. Those who come while one runs get the
 * next one, together.
 */
export function createSharedFetches(fetch: Fetch): SharedFetches {
  const current = new Map<string, Flight>();
  const next = new Map<string, Flight>();

  return {
    async ask(repository, signal) {
      if (signal?.aborted) throw gitStopped(`fetching ${repository}`, signal);
      await join(openFlight(repository), signal);
    },
    isBusy(repository) {
      const key = repository.toLowerCase();
      return current.has(key) || next.has(key);
    },
  };

  function openFlight(repository: string): Flight {
    const key = repository.toLowerCase();
    const last = next.get(key) ?? current.get(key);
    const open = last !== undefined && !last.started && !last.controller.signal.aborted;
    return open ? last : takeOff(repository, last);
  }

  function takeOff(repository: string, previous: Flight | undefined): Flight {
    const key = repository.toLowerCase();
    const controller = new AbortController();
    const flight: Flight = { started: false, askers: 0, controller, done: Promise.resolve() };
    (previous === undefined ? current : next).set(key, flight);
    flight.done = fly(repository, flight, previous);
    // Askers hear of a failure; when all have left there is nobody to hear.
    flight.done.catch(() => {});
    return flight;
  }

  async function fly(
    repository: string,
    flight: Flight,
    previous: Flight | undefined,
  ): Promise<void> {
    const key = repository.toLowerCase();
    if (previous !== undefined) {
      await previous.done.catch(() => {});
      current.set(key, flight);
      if (next.get(key) === flight) next.delete(key);
    }
    try {
      const { signal } = flight.controller;
      if (signal.aborted) throw gitStopped(`fetching ${repository}`, signal);
      await fetch(repository, signal, () => {
        flight.started = true;
      });
    } finally {
      if (current.get(key) === flight) current.delete(key);
    }
  }

  async function join(flight: Flight, signal: AbortSignal | undefined): Promise<void> {
    flight.askers += 1;
    let leave: (() => void) | undefined;
    const left = new Promise<void>((_resolve, reject) => {
      leave = () => {
        flight.askers -= 1;
        if (flight.askers === 0) flight.controller.abort(signal?.reason);
        else reject(gitStopped('fetching', signal));
      };
      signal?.addEventListener('abort', leave, { once: true });
    });
    try {
      await Promise.race([flight.done, left]);
    } finally {
      if (leave !== undefined) signal?.removeEventListener('abort', leave);
    }
  }
}
