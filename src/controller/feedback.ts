import { describeError } from '../lib/errors.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import { createDeliver, type DeliverDeps } from './deliver.ts';
import { hold } from './hold.ts';
import { createLoop, type Loop } from './loop.ts';
import { createSlots } from './slots.ts';

/** Targets that are sent to at once. */
const PARALLEL = 8;
const POLL_MS = 1000;
/** How often the budget learns from the store what other processes have written. */
const REFRESH_MS = 30_000;

/** The loop, and its single steps for whoever has a clock of his own. */
export interface Feedback extends Loop {
  /** Claims what there is room for and starts to send it. True when there may be more. */
  turn(signal: AbortSignal): Promise<boolean>;
  /** Resolves when all that was started has come to an end. */
  settled(): Promise<void>;
}

/**
 * Sends what stands in the outbox: in order per target, at least once, without what a later entry makes pointless, the most
 * important first, and no more than GitHub's limits allow.
 */
export function createFeedback(
  deps: DeliverDeps & {
    /** A callback whose process stopped renewing its claim is sent by another after this, in milliseconds. */
    leaseMs: number;
  },
): Feedback {
  const { store, budget, clock, logger } = deps;
  const deliver = createDeliver(deps);
  const sending = createSlots(PARALLEL, () => loop.wake());
  let refreshedAt = -Infinity;

  /** Starts as many as there is room for and does not wait for them: one slow receiver holds up nobody else. */
  async function turn(signal: AbortSignal): Promise<boolean> {
    const room = sending.room();
    if (room === 0) return false;
    await refreshBudget();
    const entries = await store.outbox.claim(clock.now(), deps.leaseMs, room, budget.held());
    for (const entry of entries) void sending.fill(send(entry, signal));
    return entries.length === room;
  }

  async function send(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    const renew = (until: number) => store.outbox.renew(entry, until);
    try {
      await hold({ clock, leaseMs: deps.leaseMs, renew, signal }, (held) => deliver(entry, held));
    } catch (error) {
      // The store failed, not the callback: its lease ends and it is sent again.
      logger.error({ callback: entry.id, error: describeError(error) }, 'callback left open');
    }
  }

  async function refreshBudget(): Promise<void> {
    const now = clock.now();
    if (now - refreshedAt < REFRESH_MS) return;
    await budget.refresh();
    refreshedAt = now;
  }

  const loop = createLoop({ name: 'feedback', turn, pollMs: POLL_MS, logger });
  return {
    wake: () => loop.wake(),
    async run(signal) {
      await loop.run(signal);
      await sending.settled();
    },
    turn,
    settled: sending.settled,
  };
}
