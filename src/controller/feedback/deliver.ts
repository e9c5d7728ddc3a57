import { backoffDelay } from '../../lib/backoff.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf, RetryableError, TerminalError } from '../../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../../lib/failpoint.ts';
import { inGroups } from '../../lib/in-groups.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Budget } from '../../github/budget.ts';
import type { Message, Sent } from '../../callbacks/contract.ts';
import { isObsolete, kindOf, withoutDecoration } from '../../callbacks/index.ts';
import type { Sender } from '../../callbacks/send.ts';
import { ownerOf } from '../../lib/names.ts';
import type { News } from '../../model/news.ts';
import type { Render } from '../../runs/render-callback.ts';
import type { OutboxEntry } from '../../store/outbox.ts';
import type { Store, Tables, Work } from '../../store/index.ts';
import type { Pace } from './pace.ts';
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
  pace: Pace;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}

/**
 * Deals with one claimed entry: drops it when a later one says all that it would have, or sends it when the budget allows, and
 * writes down what came of it. Entries that are dealt with in the same turn are judged by one look at the store and written down in
 * one transaction. Throws only what the store throws.
 */
export function createDeliver(
  deps: DeliverDeps,
): (entry: OutboxEntry, signal: AbortSignal) => Promise<void> {
  const { store, budget, clock, logger, news, failpoint = noFailpoint } = deps;
  const judge = inGroups((entries: readonly OutboxEntry[]) => judgeAll(store, entries));
  const settleGroup = inGroups((group: readonly Work<unknown>[]) => store.each(group));

  /** Writes down what came of an entry. */
  async function settle<Result>(work: Work<Result>): Promise<Result> {
    const result = await settleGroup(work);
    if (result.status === 'rejected') throw result.reason;
    return result.value as Result;
  }

  async function deliver(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    failpoint('callback.claimed');
    const verdict = await judge(entry);
    if (verdict === 'obsolete') {
      await finish(entry, 'obsolete');
      return;
    }
    if (verdict === 'overtaken') {
      const reason = 'a newer run was deployed before this Deployment could be shown';
      await settle(({ outbox }) => outbox.abandonTarget(entry.target, clock.now(), reason));
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
    const { pacedBy, paceMs } = kindOf(message);
    const place = pacedBy?.(message);
    const wait = place === undefined ? 0 : deps.pace.wait(place, entry.target, paceMs);
    if (wait > 0) {
      await settle(({ outbox }) => outbox.giveBack(entry, clock.now() + Math.ceil(wait)));
      return;
    }
    const grant =
      message.url === undefined
        ? await budget.take(ownerOf(message.repository), entry.importance)
        : deps.receivers.enter(URL.parse(message.url)?.host ?? '', entry.target);
    if (grant === undefined) {
      // What waits for room at its host is claimed as soon as there is some.
      const pause = deps.receivers.isWaiting(entry.target) ? 0 : REFUSED_MS;
      await settle(({ outbox }) => outbox.giveBack(entry, clock.now() + pause));
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
      const isLate = await settle((tables) => noteSent(tables, entry, sent));
      if (isLate) {
        const fields = { callback: entry.id, run: entry.run };
        logger.warn(fields, 'callback was late: the newest is sent again');
      }
    } finally {
      grant.sent();
    }
    failpoint('callback.finished');
    tell(entry, 'sent');
  }

  /** True when another process had taken it over, and has told what came after it before this arrived (G5). */
  async function noteSent(
    tables: Tables,
    entry: OutboxEntry,
    { id, covers = [], answered }: Sent,
  ): Promise<boolean> {
    const now = clock.now();
    const { outbox } = tables;
    if (!(await outbox.finish(entry.id, 'sent', now, undefined, entry.attempts, answered))) {
      return await outbox.repeatNewest(entry, now);
    }
    const name = kindOf(entry.callback).numbered?.(entry.callback);
    if (id !== undefined && name !== undefined) await outbox.setNumber(name, entry.run, id);
    for (const other of covers) {
      await outbox.finish(other, 'sent', now, undefined, undefined, answered);
    }
    return false;
  }

  async function failed(entry: OutboxEntry, error: unknown, signal: AbortSignal): Promise<void> {
    const reason = describeError(error);
    const fields = {
      callback: entry.id,
      kind: entry.callback.kind,
      run: entry.run,
      attempts: entry.attempts,
      reason,
      hint: hintOf(error),
    };
    if (signal.aborted) {
      await postpone(entry, 0, 'interrupted');
    } else if (error instanceof TerminalError || wasTriedLong(entry, clock.now())) {
      const hint = fields.hint ?? `send it again with: mainsheet resend ${entry.id}`;
      logger.error({ ...fields, hint }, 'callback given up');
      await finish(entry, 'dead', hinted(error, reason));
    } else {
      const asked = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      const delay = Math.max(asked, backoffDelay(entry.attempts, BACKOFF));
      logger.warn({ ...fields, retryInMs: delay }, 'callback postponed');
      await postpone(entry, delay, hinted(error, reason));
    }
  }

  async function postpone(entry: OutboxEntry, delayMs: number, reason: string): Promise<void> {
    const due = clock.now() + delayMs;
    await settle(({ outbox }) => outbox.postpone(entry.id, due, reason, entry.attempts));
  }

  async function finish(
    entry: OutboxEntry,
    state: 'obsolete' | 'dead',
    error?: string,
  ): Promise<void> {
    const now = clock.now();
    await settle(({ outbox }) => outbox.finish(entry.id, state, now, error, entry.attempts));
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
 * What need not be sent: `obsolete`, because a later entry says all that it would have, or `overtaken`: it makes a Deployment that
 * would show what is not true any more. One that may have been made already is not overtaken: it has to be ended.
 */
async function judgeAll(
  { outbox, runs }: Store,
  entries: readonly OutboxEntry[],
): Promise<('obsolete' | 'overtaken' | undefined)[]> {
  // What does something, or is counted by others, is never made pointless.
  const states = entries.filter(({ callback }) => isObsolete(callback, callback));
  const later = await outbox.laterInTarget(states);
  const untried = entries.filter(
    ({ callback, attempts }) => kindOf(callback).showsDeployed === true && attempts <= 1,
  );
  const overtaken = await runs.overtaken(untried.map(({ run }) => run));
  return entries.map((entry) => {
    const says = (other: OutboxEntry) => isObsolete(entry.callback, other.callback);
    if (later.some((other) => other.id > entry.id && says(other))) return 'obsolete';
    return untried.includes(entry) && overtaken.has(entry.run) ? 'overtaken' : undefined;
  });
}
