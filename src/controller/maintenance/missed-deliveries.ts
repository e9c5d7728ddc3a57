import { TerminalError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Hook, ListedDelivery, Sent } from '../../github/deliveries.ts';
import { DEPLOYING_EVENTS } from '../../sources/github/event-shape.ts';
import { mayChangePull } from '../../sources/github/parse-pull-request.ts';
import type { Inbox } from '../../store/inbox.ts';

/** What the inbox takes from the webhook route, it takes from here. */
const DELIVERY = /^[\w-]{1,100}$/;
/** A hundred deliveries each: more than GitHub remembers of most. */
const MOST_PAGES = 1000;

/** One delivery's, oldest first: GitHub lists each time that it, or a person by hand, has tried to deliver it. */
export type Attempts = [ListedDelivery, ...ListedDelivery[]];

/**
 * What was delivered since `since` and the inbox does not have, oldest first, and when the newest of all was delivered. A
 * delivery's first attempt says where it stands in the order. Throws as `Hook` does, and what `signal` aborts with.
 */
export async function findMissed(
  deps: { inbox: Pick<Inbox, 'known'>; logger: Logger },
  hook: Hook,
  since: number,
  signal: AbortSignal,
): Promise<{ missed: Attempts[]; newest: number }> {
  const missed = new Map<string, Attempts>();
  let newest = since;
  let cursor: string | undefined;
  for (let page = 1; ; page += 1) {
    signal.throwIfAborted();
    const { deliveries, next } = await hook.list(cursor);
    const known = await deps.inbox.known(deliveries.map(({ guid }) => guid));
    for (const delivery of deliveries) {
      newest = Math.max(newest, delivery.deliveredAt);
      if (!isWanted(delivery) || delivery.deliveredAt < since || known.has(delivery.guid)) continue;
      missed.set(delivery.guid, [delivery, ...(missed.get(delivery.guid) ?? [])]);
    }
    const oldest = deliveries.at(-1)?.deliveredAt ?? 0;
    if (next === undefined || oldest < since) break;
    if (page === MOST_PAGES) {
      const hint = 'those that matter can be sent again at the webhook on GitHub';
      deps.logger.warn(
        { hook: hook.name, pages: page, hint },
        'older deliveries are not looked at',
      );
      break;
    }
    cursor = next;
  }
  return { missed: [...missed.values()].sort(byTime), newest };
}

/** Nothing else is worth a request: most of what is told of pull requests, as labels and reviews, deploys nothing. */
function isWanted({ event, action, guid }: ListedDelivery): boolean {
  const isIdle = event === 'pull_request' && !mayChangePull(action);
  return DEPLOYING_EVENTS.has(event) && !isIdle && DELIVERY.test(guid);
}

/** What was sent in the first of the attempts that GitHub still has: the payload is the same in all. Undefined when none is left. */
export async function sentOf(hook: Hook, attempts: Attempts): Promise<Sent | undefined> {
  for (const { number } of attempts) {
    try {
      const sent = await hook.sent(number);
      if (sent !== undefined) return sent;
    } catch (error) {
      if (!(error instanceof TerminalError && error.code === 'github-not-found')) throw error;
    }
  }
  return undefined;
}

/** Numbers grow, and may have more digits than a number keeps. */
function byTime([a]: Attempts, [b]: Attempts): number {
  return a.deliveredAt - b.deliveredAt || (BigInt(a.number) < BigInt(b.number) ? -1 : 1);
}
