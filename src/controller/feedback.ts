import { backoffDelay } from '../lib/backoff.ts';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError, MainsheetError, RetryableError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { isObsolete } from '../github/feedback.ts';
import type { Sender } from '../github/send.ts';
import type { News } from '../model/news.ts';
import type { Render } from '../runs/render-callback.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import type { Store } from '../store/index.ts';
import { hold } from './hold.ts';
import { createLoop, type Loop } from './loop.ts';

const BACKOFF = { baseMs: 1000, maxMs: 10 * 60_000 };
/** With this many attempts the backoff has lasted more than a day. */
const MOST_ATTEMPTS = 160;
/** Targets that are sent to at once. */
const PARALLEL = 8;
const POLL_MS = 1000;

/** Sends what stands in the outbox: in order per target, at least once, without what a later entry makes pointless. */
export function createFeedback(deps: {
  store: Store;
  sender: Sender;
  render: Render;
  /** A callback whose process stopped renewing its claim is sent by another after this, in milliseconds. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
}): Loop {
  const { store, clock, logger, news } = deps;

  const sending = new Set<Promise<void>>();

  /** Starts as many as there is room for and does not wait for them: one slow receiver holds up nobody else. */
  async function turn(signal: AbortSignal): Promise<boolean> {
    const room = PARALLEL - sending.size;
    if (room === 0) return false;
    const entries = await store.outbox.claim(clock.now(), deps.leaseMs, room);
    for (const entry of entries) {
      const renew = (until: number) => store.outbox.renew(entry, until);
      const done = hold({ clock, leaseMs: deps.leaseMs, renew, signal }, (held) =>
        handle(entry, held),
      )
        .catch((error: unknown) => {
          // The store failed, not the callback: its lease ends and it is sent again.
          logger.error({ callback: entry.id, error: describeError(error) }, 'callback left open');
        })
        .finally(() => {
          sending.delete(done);
          loop.wake();
        });
      sending.add(done);
    }
    return entries.length === room;
  }

  async function handle(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    const later = await store.outbox.laterInTarget(entry);
    if (later.some((other) => isObsolete(entry.callback, other.callback))) {
      await finish(entry, 'obsolete');
      return;
    }
    try {
      const message = await deps.render(entry);
      const sent = await deps.sender.send(message, { signal, retried: entry.attempts > 1 });
      await store.atomically(async (tables) => {
        if (sent.deploymentId !== undefined) {
          await tables.runs.setDeploymentId(entry.run, sent.deploymentId);
        }
        await tables.outbox.finish(entry.id, 'sent', clock.now(), undefined, entry.attempts);
      });
      tell(entry, 'sent');
    } catch (error) {
      await failed(entry, error, signal);
    }
  }

  async function failed(entry: OutboxEntry, error: unknown, signal: AbortSignal): Promise<void> {
    const reason = describeError(error);
    const fields = {
      callback: entry.id,
      kind: entry.callback.kind,
      run: entry.run,
      attempts: entry.attempts,
      reason,
    };
    if (signal.aborted) {
      await store.outbox.postpone(entry.id, clock.now(), 'interrupted', entry.attempts);
    } else if (error instanceof TerminalError || entry.attempts >= MOST_ATTEMPTS) {
      logger.error(fields, 'callback given up');
      await finish(entry, 'dead', hinted(error, reason));
    } else {
      const asked = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      const delay = Math.max(asked, backoffDelay(entry.attempts, BACKOFF));
      logger.warn({ ...fields, retryInMs: delay }, 'callback postponed');
      await store.outbox.postpone(entry.id, clock.now() + delay, reason, entry.attempts);
    }
  }

  async function finish(
    entry: OutboxEntry,
    state: 'obsolete' | 'dead',
    error?: string,
  ): Promise<void> {
    await store.outbox.finish(entry.id, state, clock.now(), error, entry.attempts);
    tell(entry, state);
  }

  function tell(entry: OutboxEntry, state: string): void {
    news.publish({ kind: 'callback', entry: entry.id, run: entry.run, state });
  }

  const loop = createLoop({ name: 'feedback', turn, pollMs: POLL_MS, logger });
  return {
    wake: () => loop.wake(),
    async run(signal) {
      await loop.run(signal);
      await Promise.all(sending);
    },
  };
}

function hinted(error: unknown, reason: string): string {
  return error instanceof MainsheetError && error.hint !== undefined
    ? `${reason} (${error.hint})`
    : reason;
}
