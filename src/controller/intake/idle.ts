import type { Clock } from '../../lib/clock.ts';
import type { DeploymentSpec } from '../../model/deployment-spec.ts';
import type { DeliveryOutcome } from '../../model/delivery.ts';
import type { Event, Json } from '../../model/event.ts';
import { PROTECTION } from '../../model/protection.ts';
import { matchSpec } from '../../spec/match.ts';
import { hookTriggerOf } from '../../spec/match-hook.ts';
import { pathListOf, pushRefMatches } from '../../spec/match-push.ts';
import { matchesWorkflowRun } from '../../spec/match-workflow-run.ts';
import type { KeptDelivery } from '../../store/inbox.ts';
import type { Store } from '../../store/index.ts';
import { judgedBy, type Recognize } from './judge.ts';
import type { Recognized } from './own-events.ts';
import { outcomeOf, type Announce } from './judged.ts';

/** Events that change more than what is deployed. */
const HAVE_THEIR_TURN: ReadonlySet<Event['kind']> = new Set([
  'check',
  'comment',
  'message-press',
  'installation',
  'pull_request',
]);
/** Deliveries that are looked at together. */
const MOST_AT_ONCE = 256;
/** Verdicts that are kept to be given again: some megabytes. */
const MOST_KEPT = 5000;
/** Of what verdicts are kept by, in UTF-16 units: refs are as long as their senders want. */
const LONGEST_KEY = 1000;
/** What still waits is looked at again after so long at the earliest, in milliseconds. */
const AGAIN_MS = 10_000;

/**
 * Closes what decides nothing: deliveries of which the event's kind or ref alone says that no spec names it. They change
 * nothing, so their order does not matter and git is not asked; many are closed in one transaction. Each is looked at once;
 * on PostgreSQL what still waits is looked at again, 10 to 30 seconds later, since of several processes the one that numbers its rows first may be the last to commit
 * them. Answers whether there may be more.
 */
export type CloseIdle = () => Promise<boolean>;

export function createCloseIdle(deps: {
  store: Pick<Store, 'inbox' | 'lazily' | 'engine'>;
  recognize: Recognize;
  announce: Announce;
  clock: Clock;
}): CloseIdle {
  const { store, announce, clock } = deps;
  /** The last delivery that was looked at. */
  let last = 0;
  /** The same when it was last set back, and the time before. */
  let before = 0;
  let earlier = 0;
  let beganAt = clock.elapsed();
  let passing: Promise<boolean> | undefined;

  async function judge(
    { delivery, payload: text }: KeptDelivery,
    recognize: Recognize,
  ): Promise<DeliveryOutcome | undefined> {
    const payload = JSON.parse(text) as Json;
    return await outcomeOfIdle(await recognize(delivery.event, payload), payload);
  }

  async function pass(): Promise<boolean> {
    const waiting = await store.inbox.waiting(last, clock.now(), MOST_AT_ONCE);
    const idle = new Map<KeptDelivery, DeliveryOutcome>();
    const recognize = deps.recognize.atOneMoment();
    for (const one of waiting) {
      // What cannot be read is left to the way of a single delivery, which says so.
      const outcome = await judge(one, recognize).catch(() => undefined);
      if (outcome !== undefined) idle.set(one, outcome);
    }
    if (idle.size > 0) {
      const closed = await store.lazily(({ inbox }) => inbox.closeIdle(idle, clock.now()));
      for (const one of closed) {
        const outcome = idle.get(one);
        if (outcome !== undefined) announce(one.delivery, outcome, []);
      }
    }
    last = waiting.at(-1)?.seq ?? last;
    const more = waiting.length === MOST_AT_ONCE;
    if (!more && store.engine === 'postgres' && clock.elapsed() - beganAt >= AGAIN_MS) {
      [last, before, earlier] = [earlier, last, before];
      beganAt = clock.elapsed();
    }
    return more;
  }

  return () => (passing ??= pass().finally(() => (passing = undefined)));
}

/** What becomes of an event that no spec names, by its kind or ref alone; undefined when one may. */
export async function outcomeOfIdle(
  recognized: Recognized,
  payload: Json,
): Promise<DeliveryOutcome | undefined> {
  const { event, candidates } = recognized;
  if (HAVE_THEIR_TURN.has(event.kind)) return undefined;
  if (candidates.some(({ spec }) => mayMatch(spec, event))) return undefined;
  return outcomeOf(await judgedBy(recognized, payload), new Map());
}

/** `outcomeOfIdle` that gives the same answer again for an event that the same specs cannot tell from an earlier one. */
export function keepOutcomes(): typeof outcomeOfIdle {
  const kept = new Map<string, { by: Recognized['candidates']; outcome: Outcome }>();
  let verdicts = 0;
  return (recognized, payload) => {
    const key = keyOf(recognized);
    if (key === undefined) return outcomeOfIdle(recognized, payload);
    const by = recognized.candidates;
    const known = kept.get(key);
    if (known !== undefined && isSame(known.by, by)) return known.outcome;
    if (verdicts > MOST_KEPT) {
      kept.clear();
      verdicts = 0;
    }
    const outcome = outcomeOfIdle(recognized, payload);
    kept.set(key, { by, outcome });
    verdicts += 1 + by.length;
    return outcome;
  };
}

type Outcome = ReturnType<typeof outcomeOfIdle>;

const isSame = (some: Recognized['candidates'], others: Recognized['candidates']): boolean =>
  some.length === others.length && some.every((one, index) => one === others[index]);

/** All that the verdicts on a push look at; undefined where they look at its files, or at the payload, or it is another event. */
function keyOf({ event, candidates }: Recognized): string | undefined {
  if (event.kind !== 'push' || !candidates.every(({ spec }) => looksAtRef(spec))) return undefined;
  const { repository, formerly = [], ref, deleted, sha } = event;
  const key = JSON.stringify([ref, deleted || sha === undefined, repository, ...formerly]);
  return key.length > LONGEST_KEY ? undefined : key;
}

/** Whether a push's ref is all that the spec looks at. */
function looksAtRef({ on, if: condition, batch }: DeploymentSpec): boolean {
  const restrictsPaths = on.push !== undefined && pathListOf(on.push) !== undefined;
  return condition === undefined && batch === undefined && !restrictsPaths;
}

/** Whether the spec may match the event, by what its payload alone says. */
function mayMatch(spec: DeploymentSpec, event: Event): boolean {
  const { on } = spec;
  switch (event.kind) {
    case 'push':
      return on.push !== undefined && pushRefMatches(on.push, event).matched;
    case 'release':
      return on.release?.types.includes(event.action) ?? false;
    case 'workflow_run':
      return on.workflowRun !== undefined && matchesWorkflowRun(on.workflowRun, event).matched;
    case PROTECTION:
      return matchSpec(spec, event, undefined).matched;
    case 'hook':
      return event.verdict.matched && hookTriggerOf(spec, event.hook) !== undefined;
    case 'schedule':
    case 'deployment':
    case 'teardown':
      return true;
    default:
      return false;
  }
}
