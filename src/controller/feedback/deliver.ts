import { backoffDelay } from '../../lib/backoff.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf, RetryableError, TerminalError } from '../../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Budget } from '../../github/budget.ts';
import type { Message, Sent } from '../../callbacks/contract.ts';
import { isObsolete, kindOf, withoutDecoration } from '../../callbacks/index.ts';
import type { Sender } from '../../callbacks/send.ts';
import { ownerOf } from '../../lib/names.ts';
import type { News } from '../../model/news.ts';
import { hasEnded } from '../../model/run.ts';
import type { Render } from '../../runs/render-callback.ts';
import type { OutboxEntry } from '../../store/outbox.ts';
import type { Store } from '../../store/index.ts';
import type { Receivers } from './receivers.ts';

const BACKOFF = { baseMs: 1000, maxMs: 10 * 60_000 };
/** With this many attempts the backoff has lasted about a day. */
const MOST_ATTEMPTS = 200;
const DAY_MS = 24 * 60 * 60_000;
/** So often a notification is tried however old it is. */
const LEAST_ATTEMPTS = 5;
/** A callback for which there was no room after it was claimed is not claimed again before this. */
const REFUSED_MS = 1000;

/** What `createDeliver` works with. */
export interface DeliverDeps {
  store: Store;
  sender: Sender;
  render: Render;
  budget: Budget;
  receivers: Receivers;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}

/**
 * Deals with one claimed entry: drops it when a later one says all that it would have, or sends it when the budget allows, and
 * writes down what came of it. Throws only what the store throws.
 */
export function createDeliver(
  deps: DeliverDeps,
): (entry: OutboxEntry, signal: AbortSignal) => Promise<void> {
  const { store, budget, clock, logger, news, failpoint = noFailpoint } = deps;

  async function deliver(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    failpoint('callback.claimed');
    const later = await store.outbox.laterInTarget(entry);
    if (later.some((other) => isObsolete(entry.callback, other.callback))) {
      await finish(entry, 'obsolete');
      return;
    }
    if (await isOvertaken(store, entry)) {
      const reason = 'a newer run was deployed before this Deployment could be shown';
      await store.outbox.abandonTarget(entry.target, clock.now(), reason);
      tell(entry, 'obsolete');
      return;
    }
    let message: Message;
    try {
      message = await deps.render(entry);
    } catch (error) {
      await failed(entry, error, signal);
      return;
    }
    await send(entry, message, signal);
  }

  async function send(entry: OutboxEntry, message: Message, signal: AbortSignal): Promise<void> {
    const grant =
      message.url === undefined
        ? await budget.take(ownerOf(message.repository), entry.importance)
        : deps.receivers.enter(URL.parse(message.url)?.host ?? '', entry.target);
    if (grant === undefined) {
      // What waits for room at its host is claimed as soon as there is some.
      const pause = deps.receivers.isWaiting(entry.target) ? 0 : REFUSED_MS;
      await store.outbox.giveBack(entry, clock.now() + pause);
      return;
    }
    let sent: Sent;
    try {
      await store.flushed();
      failpoint('callback.before');
      const ageMs = clock.now() - entry.createdAt;
      sent = await deps.sender.send(message, { signal, retried: entry.attempts > 1, ageMs });
    } catch (error) {
      grant.failed(error);
      const bare = isInvalid(error) ? withoutDecoration(message) : undefined;
      if (bare === undefined) {
        await failed(entry, error, signal);
      } else {
        const fields = { callback: entry.id, run: entry.run, reason: describeError(error) };
        logger.warn(fields, 'callback refused: its state is sent alone');
        await send(entry, bare, signal);
      }
      return;
    }
    try {
      failpoint('callback.sent');
      await store.lazily(async (tables) => {
        const now = clock.now();
        if (await tables.outbox.finish(entry.id, 'sent', now, undefined, entry.attempts)) {
          if (sent.id === undefined) return;
          await kindOf(entry.callback).keep?.(tables, entry.run, sent.id);
        } else if (await tables.outbox.repeatNewest(entry, now)) {
          // Another process had taken this one over, and has told what came after it before this arrived (G5).
          logger.warn(
            { callback: entry.id, run: entry.run },
            'callback was late: the newest is sent again',
          );
        }
      });
    } finally {
      grant.sent();
    }
    failpoint('callback.finished');
    tell(entry, 'sent');
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
    } else if (error instanceof TerminalError || wasTriedLong(entry, clock.now())) {
      logger.error(fields, 'callback given up');
      await finish(entry, 'dead', hinted(error, reason));
    } else {
      const asked = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      const delay = Math.max(asked, backoffDelay(entry.attempts, BACKOFF));
      logger.warn({ ...fields, retryInMs: delay }, 'callback postponed');
      const due = clock.now() + delay;
      await store.outbox.postpone(entry.id, due, hinted(error, reason), entry.attempts);
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

  return deliver;
}

/**
 * Whether it was tried for about a day. Notifications of one entry of a spec wait for each other, so a day counts from when each was
 * made: else those for a receiver that is gone would become more and more.
 */
function wasTriedLong({ attempts, callback, createdAt }: OutboxEntry, now: number): boolean {
  const waits = kindOf(callback).waitsForOtherRuns === true;
  const isOld = waits && now - createdAt >= DAY_MS;
  return attempts >= (isOld ? LEAST_ATTEMPTS : MOST_ATTEMPTS);
}

/** Whether GitHub has read the message and does not take it, which may be for its decoration. */
function isInvalid(error: unknown): boolean {
  return error instanceof TerminalError && error.code === 'github-invalid';
}

function hinted(error: unknown, reason: string): string {
  const hint = hintOf(error);
  return hint === undefined ? reason : `${reason} (${hint})`;
}

/**
 * Whether the entry makes a Deployment that would show what is not true any more: its run has ended, and a newer run is what the
 * environment runs. One that may have been made already is not overtaken: it has to be ended.
 */
async function isOvertaken(store: Store, entry: OutboxEntry): Promise<boolean> {
  if (kindOf(entry.callback).showsDeployed !== true || entry.attempts > 1) return false;
  const run = await store.runs.get(entry.run);
  if (run === undefined || !hasEnded(run.state)) return false;
  const deployed = await store.environments.get(run.lane, run.spec);
  if (deployed === undefined || deployed.run === run.id) return false;
  const newer = await store.runs.get(deployed.run);
  return newer !== undefined && newer.sequence > run.sequence;
}
