import type { Clock } from '../lib/clock.ts';
import { describeError, TerminalError } from '../lib/errors.ts';
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
/** A hundred deliveries each. */
const MOST_PAGES = 100;
/** Payloads are read one by one; what is left over waits for the next turn. */
const MOST_PAYLOADS = 200;
/** A delivery stands in GitHub's list only when its attempt is over, so that a later one may stand there before it. */
const OVERLAP_MS = 10 * 60_000;

/**
 * Takes in what GitHub could not deliver, with the payload that GitHub kept, oldest first: GitHub itself never tries a
 * second time (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries). Of a webhook that
 * is seen for the first time nothing older is taken. Whatever is taken goes through the inbox like any other delivery, so
 * that it counts once and never deploys backwards. Throws RetryableError while GitHub does not answer or asks for a pause;
 * what was reached until then is kept.
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

  async function hooksOf(repository: string): Promise<Hook[]> {
    try {
      const address = (deps.publicUrl ?? '') + WEBHOOK_PATH;
      const hooks = await findHooks({ github, clock }, repository, address);
      unreadable.delete(repository);
      return hooks;
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      const fields = { repository, reason: describeError(error) };
      if (!unreadable.has(repository)) logger.info(fields, 'webhooks cannot be read');
      unreadable.add(repository);
      return [];
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
      for (const delivery of missed.slice(0, MOST_PAYLOADS)) {
        signal.throwIfAborted();
        await take(hook, delivery);
        reached = delivery.deliveredAt;
      }
      if (missed.length <= MOST_PAYLOADS) reached = newest;
    } finally {
      const next = Math.max(since, reached - OVERLAP_MS);
      if (next !== since) await store.cursors.set(name, String(next), clock.now());
    }
  }

  /** What the inbox does not have, oldest first. Of several attempts of one delivery the first counts. */
  async function findMissed(hook: Hook, since: number, signal: AbortSignal) {
    const missed = new Map<string, ListedDelivery>();
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
        missed.set(delivery.guid, delivery);
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

  async function take(hook: Hook, { guid, event, number }: ListedDelivery): Promise<void> {
    const payload = await payloadOf(hook, number);
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

  /** Undefined also when GitHub does not have the delivery any more. */
  async function payloadOf(hook: Hook, number: string): Promise<string | undefined> {
    try {
      return await hook.payload(number);
    } catch (error) {
      if (error instanceof TerminalError && error.code === 'github-not-found') return undefined;
      throw error;
    }
  }

  return async (signal) => {
    const isApp = github.app !== undefined;
    if (!isApp && deps.publicUrl === undefined) return;
    const { specs } = deps.catalog.current();
    const named = specs.map(
      ({ spec }) => [spec.repository.toLowerCase(), spec.repository] as const,
    );
    const repositories = isApp ? [''] : new Map(named).values();
    for (const repository of repositories) {
      for (const hook of await hooksOf(repository)) await recoverFrom(hook, signal);
    }
  };
}

/** Numbers grow, and may have more digits than a number keeps. */
function byTime(a: ListedDelivery, b: ListedDelivery): number {
  return a.deliveredAt - b.deliveredAt || (BigInt(a.number) < BigInt(b.number) ? -1 : 1);
}
