import { describeError } from '../../lib/errors.ts';
import type { Claimable, OutboxEntry } from '../../store/outbox.ts';
import { createDeliver, type DeliverDeps } from './deliver.ts';
import { keepClaim } from '../keep-claim.ts';
import { createLoop, type Loop } from '../loop.ts';
import { createPace } from './pace.ts';
import { createReceivers } from './receivers.ts';
import { createSlots, type Slots } from '../slots.ts';

/** Targets at GitHub that are sent to at once. */
const TO_GITHUB = 8;
/** Webhooks that are sent at once, all receivers together. */
const TO_RECEIVERS = 64;
const POLL_MS = 1000;

/** The loop, and its single steps for callers with a clock of their own. */
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
  deps: Omit<DeliverDeps, 'receivers' | 'pace'> & {
    /** A callback whose process stopped renewing its claim is sent by another after this, in milliseconds. */
    leaseMs: number;
  },
): Feedback {
  const { store, budget, clock, logger } = deps;
  const receivers = createReceivers();
  const deliver = createDeliver({ ...deps, receivers, pace: createPace(clock) });
  const toGitHub = createSlots(TO_GITHUB, () => loop.wake());
  const toReceivers = createSlots(TO_RECEIVERS, () => loop.wake());

  async function turn(signal: AbortSignal): Promise<boolean> {
    const held = await budget.held();
    const more = await start(toGitHub, { to: 'github', held }, signal);
    const except = toReceivers.room() === 0 ? [] : receivers.waiting();
    return (await start(toReceivers, { to: 'receivers', except }, signal)) || more;
  }

  /** Starts as many as there is room for and does not wait for them: one slow receiver holds up no other, nor GitHub. */
  async function start(slots: Slots, which: Claimable, signal: AbortSignal): Promise<boolean> {
    const room = slots.room();
    if (room === 0) return false;
    const entries = await store.outbox.claim(clock.now(), deps.leaseMs, room, which);
    for (const entry of entries) void slots.fill(send(entry, signal));
    return entries.length === room;
  }

  async function send(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    const renew = (until: number) => store.outbox.renew(entry, until);
    try {
      await keepClaim({ clock, leaseMs: deps.leaseMs, renew, signal }, (held) =>
        deliver(entry, held),
      );
    } catch (error) {
      // The store failed, not the callback: its lease ends and it is sent again.
      const hint = 'look at the database and its disk; it is sent again';
      logger.error({ callback: entry.id, error: describeError(error), hint }, 'callback left open');
    }
  }

  async function settled(): Promise<void> {
    await Promise.all([toGitHub.settled(), toReceivers.settled()]);
  }

  const loop = createLoop({ name: 'feedback', turn, pollMs: POLL_MS, logger });
  return {
    wake: () => loop.wake(),
    async run(signal) {
      await loop.run(signal);
      await settled();
    },
    turn,
    settled,
  };
}
