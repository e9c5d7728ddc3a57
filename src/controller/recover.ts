import type { Clock } from '../lib/clock.ts';
import { describeError, RetryableError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { GitHub } from '../github/client.ts';
import { findHooks, type Hook, type ListedDelivery } from '../github/deliveries.ts';
import { describePayload } from '../github/describe-delivery.ts';
import type { Json } from '../model/event.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';

/** Where GitHub delivers to, below the public URL. */
const WEBHOOK_PATH = '/webhooks/v1/github';
/** Events that can start a run: nothing else is worth a request. */
const EVENTS = new Set(['push', 'release', 'workflow_run']);
/** What the inbox takes from the webhook route, it takes from here. */
const DELIVERY = /^[\w-]{1,100}$/;
/** A hundred deliveries each: more than GitHub remembers of most. */
const MOST_PAGES = 1000;
/** Payloads are read one by one; what is left over waits for the next turn. */
const MOST_PAYLOADS = 200;
/** A delivery stands in GitHub's list only when its attempt is over, so that a later one may stand there before it. */
const OVERLAP_MS = 10 * 60_000;

/**
 * Takes in what GitHub could not deliver, with the payload that GitHub kept, oldest first: GitHub itself never tries a
 * second time (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries). Of a webhook that
 * is seen for the first time nothing older is taken. Whatever is taken goes through the inbox like any other delivery, so
 * that it counts once and never deploys backwards. Throws RetryableError `github-rate-limited` when GitHub asks for a pause;
 * what was reached until then is kept. A repository that cannot be read is logged once, and the next time it is tried
 * again from where it was.
 */
export type Recover = (signal: AbortSignal) => Promise<void>;

export function createRecover(deps: {
  store: Store;
  github: GitHub;
  catalog: Pick<Catalog, 'current'>;
  /** Without it nobody knows which of a repository's webhooks is ours; an App has only one. */
  publicUrl: string | undefined;
  /** Called when something was taken in. */
  onAccepted: () => void;
  clock: Clock;
  logger: Logger;
}): Recover {
  const { store, github, clock, logger } = deps;
  const unreadable = new Set<string>();

  async function recoverOf(repository: string, signal: AbortSignal): Promise<void> {
    const address = (deps.publicUrl ?? '') + WEBHOOK_PATH;
    try {
      for (const hook of await findHooks({ github, clock, signal }, repository, address)) {
        await recoverFrom(hook, signal);
      }
      unreadable.delete(repository);
    } catch (error) {
      // One repository's trouble is no other's, but for a limit, which is that of all.
      if (signal.aborted || isRateLimit(error)) throw error;
      const fields = { repository: repository || undefined, reason: describeError(error) };
      if (!unreadable.has(repository)) logger.warn(fields, 'missed deliveries cannot be read');
      unreadable.add(repository);
    }
  }

  async function recoverFrom(hook: Hook, signal: AbortSignal): Promise<void> {
    const name = `deliveries:${hook.name}`;
    const since = Number((await store.cursors.get(name)) ?? Number.NaN);
    if (Number.isNaN(since)) {
      const { deliveries } = await hook.list(undefined);
      const newest = Math.max(0, ...deliveries.map(({ deliveredAt }) => deliveredAt + 1));
      await store.cursors.set(name, String(newest), clock.now());
      return;
    }
    const { missed, newest } = await findMissed(hook, since, signal);
    let reached = since;
    try {
      for (const attempts of missed.slice(0, MOST_PAYLOADS)) {
        signal.throwIfAborted();
        await take(hook, attempts);
        reached = attempts[0].deliveredAt;
      }
      if (missed.length <= MOST_PAYLOADS) reached = newest;
    } finally {
      const next = Math.max(since, reached - OVERLAP_MS);
      if (next !== since) await store.cursors.set(name, String(next), clock.now());
    }
  }

  /**
   * What the inbox does not have, oldest first: of each delivery its attempts, because GitHub lists each time that it, or
   * somebody by hand, has tried to deliver it. The first says where it stands in the order.
   */
  async function findMissed(hook: Hook, since: number, signal: AbortSignal) {
    const missed = new Map<string, Attempts>();
    let newest = since;
    let cursor: string | undefined;
    for (let page = 1; ; page += 1) {
      signal.throwIfAborted();
      const { deliveries, next } = await hook.list(cursor);
      const known = await store.inbox.known(deliveries.map(({ guid }) => guid));
      for (const delivery of deliveries) {
        newest = Math.max(newest, delivery.deliveredAt);
        const wanted = EVENTS.has(delivery.event) && DELIVERY.test(delivery.guid);
        if (!wanted || delivery.deliveredAt < since || known.has(delivery.guid)) continue;
        missed.set(delivery.guid, [delivery, ...(missed.get(delivery.guid) ?? [])]);
      }
      const oldest = deliveries.at(-1)?.deliveredAt ?? 0;
      if (next === undefined || oldest < since) break;
      if (page === MOST_PAGES) {
        logger.warn({ hook: hook.name, pages: page }, 'older deliveries are left aside');
        break;
      }
      cursor = next;
    }
    return { missed: [...missed.values()].sort(byTime), newest };
  }

  async function take(hook: Hook, attempts: Attempts): Promise<void> {
    const [{ guid, event }] = attempts;
    const payload = await payloadOf(hook, attempts);
    if (payload === undefined) {
      logger.warn({ hook: hook.name, delivery: guid, event }, 'delivery cannot be recovered');
      return;
    }
    const described = describePayload(event, JSON.parse(payload) as Json);
    const incoming = { id: guid, event, ...described, payload, receivedAt: clock.now() };
    if (!(await store.accept(incoming))) return;
    logger.info({ hook: hook.name, delivery: guid, event }, 'delivery recovered');
    deps.onAccepted();
  }

  /** Of the first attempt of which GitHub still has it: all have the same. Undefined when there is none left. */
  async function payloadOf(hook: Hook, attempts: Attempts): Promise<string | undefined> {
    for (const { number } of attempts) {
      try {
        const payload = await hook.payload(number);
        if (payload !== undefined) return payload;
      } catch (error) {
        if (!(error instanceof TerminalError && error.code === 'github-not-found')) throw error;
      }
    }
    return undefined;
  }

  return async (signal) => {
    const isApp = github.app !== undefined;
    if (!isApp && deps.publicUrl === undefined) return;
    const { specs } = deps.catalog.current();
    const named = specs.map(
      ({ spec }) => [spec.repository.toLowerCase(), spec.repository] as const,
    );
    const repositories = isApp ? [''] : new Map(named).values();
    for (const repository of repositories) await recoverOf(repository, signal);
  };
}

/** One delivery's, oldest first. */
type Attempts = [ListedDelivery, ...ListedDelivery[]];

function isRateLimit(error: unknown): boolean {
  return error instanceof RetryableError && error.code === 'github-rate-limited';
}

/** Numbers grow, and may have more digits than a number keeps. */
function byTime([a]: Attempts, [b]: Attempts): number {
  return a.deliveredAt - b.deliveredAt || (BigInt(a.number) < BigInt(b.number) ? -1 : 1);
}
