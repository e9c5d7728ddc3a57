import { setImmediate } from 'node:timers';
import { RetryableError } from '../lib/errors.ts';
import type { IncomingDelivery } from './inbox.ts';

/** Rows, and characters of payload, that one transaction takes at most. Bounds the statement's size as well as its time. */
const LARGEST_GROUP = 256;
const LARGEST_GROUP_TEXT = 32 * 1024 * 1024;

/** Characters of payload that may wait while the store is slow; what comes on top is turned away instead of piled up. */
const MOST_TEXT = 128 * 1024 * 1024;

/** So many are worth a transaction of their own while another one is under way. */
const ENOUGH = 16;

/** Groups on their way to the disk at once, where the store can have several: while it writes one, the next one is made ready. */
export const SEVERAL = 4;

/** Turns of the event loop that a group may gather for, as long as each brings more. */
const MOST_TURNS = 4;

/**
 * Puts everything that arrives in one turn of the event loop into one transaction, which costs little more than one row does; what
 * arrives while such a one is under way goes into the next, which does not wait for that where there may be several `underWay`.
 * The promise settles when the commit has been `flushed`: true when the delivery is new, false when its id or body was
 * there before (or twice in the group). It rejects when the group could not be stored, and with RetryableError
 * `intake-full` when too much waits already.
 */
export function createGroupCommit(
  store: (group: readonly IncomingDelivery[]) => Promise<ReadonlySet<string>>,
  flushed: () => Promise<void>,
  limits: { groupText?: number; text?: number; underWay?: number } = {},
): (delivery: IncomingDelivery) => Promise<boolean> {
  const { groupText = LARGEST_GROUP_TEXT, text: mostText = MOST_TEXT, underWay: most = 1 } = limits;
  let waiting: Waiter[] = [];
  let gathering = false;
  /** Groups that are being stored. */
  let underWay = 0;
  /** Characters of payload in `waiting` and in the groups that are not flushed. */
  let held = 0;

  /** Waits for the turn of the event loop to end, and for another one as long as each brings more. */
  async function gather(): Promise<void> {
    gathering = true;
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      const before = waiting.length;
      await new Promise((resolve) => setImmediate(resolve));
      if (waiting.length === before || waiting.length >= LARGEST_GROUP) break;
    }
    gathering = false;
    if (waiting.length > 0 && underWay === 0) handOver();
  }

  function goOn(): void {
    if (waiting.length === 0) return;
    if (most > 1 && underWay < most && waiting.length >= ENOUGH) handOver();
    else if (underWay === 0 && !gathering) void gather();
  }

  function handOver(): void {
    const group = waiting.slice(0, groupSize());
    waiting = waiting.slice(group.length);
    underWay += 1;
    void commit(group).then(() => {
      underWay -= 1;
      goOn();
    });
  }

  /** How many of those that wait go together: at least one, however large it is. */
  function groupSize(): number {
    let text = 0;
    const tooLarge = waiting.findIndex(({ length }, index) => {
      text += length;
      return index > 0 && text > groupText;
    });
    return Math.min(LARGEST_GROUP, tooLarge === -1 ? waiting.length : tooLarge);
  }

  async function commit(group: readonly Waiter[]): Promise<void> {
    const first = new Map<string, Waiter>();
    for (const waiter of group) {
      if (!first.has(waiter.id)) first.set(waiter.id, waiter);
    }
    try {
      const stored = await store(deliveriesOf(first.values()));
      const isNew = (waiter: Waiter) => stored.has(waiter.id) && first.get(waiter.id) === waiter;
      // The next group is stored while this one waits for the disk.
      void flushed().then(
        () => settle(group, (waiter) => waiter.resolve(isNew(waiter))),
        (error: unknown) => settle(group, (waiter) => waiter.reject(error)),
      );
    } catch (error) {
      settle(group, (waiter) => waiter.reject(error));
    }
  }

  function settle(group: readonly Waiter[], tell: (waiter: Waiter) => void): void {
    for (const waiter of group) {
      held -= waiter.length;
      tell(waiter);
    }
  }

  return (delivery) =>
    new Promise((resolve, reject) => {
      if (held + delivery.payload.length > mostText) {
        reject(new RetryableError('intake-full', 'too many deliveries wait to be stored'));
        return;
      }
      const { id, payload } = delivery;
      held += payload.length;
      waiting.push({ id, length: payload.length, delivery, resolve, reject });
      goOn();
    });
}

/** They are not held any longer than it takes to store them. */
function deliveriesOf(waiters: Iterable<Waiter>): IncomingDelivery[] {
  return [...waiters].flatMap((waiter) => {
    const { delivery } = waiter;
    waiter.delivery = undefined;
    return delivery ?? [];
  });
}

interface Waiter {
  id: string;
  /** Characters of payload. */
  length: number;
  delivery: IncomingDelivery | undefined;
  resolve: (isNew: boolean) => void;
  reject: (error: unknown) => void;
}
