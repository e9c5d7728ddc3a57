import { setImmediate } from 'node:timers';
import type { IncomingDelivery } from './inbox.ts';

/** Rows that one transaction takes at most. Bounds the statement's parameters as well as its time. */
const LARGEST_GROUP = 256;

/** Turns of the event loop that a group may gather for, as long as each brings more. */
const MOST_TURNS = 4;

/**
 * Puts everything that arrives in one turn of the event loop into one transaction, because reaching the disk costs the
 * same for one row as for a hundred. The promise settles after the commit: true when the delivery is new, false when its
 * id was there before (or twice in the group). It rejects when the group could not be stored.
 */
export function createGroupCommit(
  store: (group: readonly IncomingDelivery[]) => Promise<ReadonlySet<string>>,
): (delivery: IncomingDelivery) => Promise<boolean> {
  let waiting: Waiter[] = [];
  let draining = false;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await gather();
      const group = waiting.slice(0, LARGEST_GROUP);
      waiting = waiting.slice(LARGEST_GROUP);
      await commit(group);
    }
    draining = false;
  }

  /** Waits for the turn of the event loop to end, and for another one as long as each brings more. */
  async function gather(): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      const before = waiting.length;
      await new Promise((resolve) => setImmediate(resolve));
      if (waiting.length === before || waiting.length >= LARGEST_GROUP) return;
    }
  }

  async function commit(group: readonly Waiter[]): Promise<void> {
    const first = new Map<string, Waiter>();
    for (const waiter of group) {
      if (!first.has(waiter.delivery.id)) first.set(waiter.delivery.id, waiter);
    }
    try {
      const stored = await store([...first.values()].map((waiter) => waiter.delivery));
      for (const waiter of group) {
        const { id } = waiter.delivery;
        waiter.resolve(stored.has(id) && first.get(id) === waiter);
      }
    } catch (error) {
      for (const waiter of group) waiter.reject(error);
    }
  }

  return (delivery) =>
    new Promise((resolve, reject) => {
      waiting.push({ delivery, resolve, reject });
      if (draining) return;
      draining = true;
      void drain();
    });
}

interface Waiter {
  delivery: IncomingDelivery;
  resolve: (isNew: boolean) => void;
  reject: (error: unknown) => void;
}
