import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf } from '../../lib/errors.ts';
import type { Failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Delivery, DeliveryOutcome } from '../../model/delivery.ts';
import type { Event, Json } from '../../model/event.ts';
import type { News } from '../../model/news.ts';
import type { Run } from '../../model/run.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { looksAtRefAlone, mayMatch } from '../../spec/may-match.ts';
import type { IncomingDelivery, KeptDelivery } from '../../store/inbox.ts';
import type { Store } from '../../store/index.ts';
import type { Ordering } from '../../runs/ordering/ordering.ts';
import type { Transitions } from '../../runs/transition.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { Commented } from '../operator/comments.ts';
import type { HookRollback } from '../operator/hook-rollback.ts';
import type { Pressed } from '../operator/press.ts';
import { createReplay, type Replay } from '../operator/replay.ts';
import type { WhyNoPlan } from '../plans/wanted.ts';
import { createSlots } from '../slots.ts';
import {
  createJudge,
  createRecognize,
  judgedBy,
  outcomeOf,
  type Announce,
  type Recognize,
  type Recognized,
} from './judge.ts';
import { createMakeRuns } from './make-runs.ts';
import { createProcessDelivery } from './process-delivery.ts';
import type { Resolve } from './resolve.ts';
import { createJudgeTogether } from './together.ts';

const POLL_MS = 2000;
/** Deliveries of so many repositories are worked on at once; when git is slow for all of these, others wait. */
const PARALLEL = 4;
/** A delivery that takes longer waits for git: those of other repositories go on meanwhile. */
const SLOW_MS = 100;
/** After pushes that were judged together: more come in this time, and git is started twice for as many as there are. In milliseconds. */
const GATHER_MS = 100;
/** A payload of more characters is not judged before its sender has an answer. */
const LARGE = 1024 * 1024;
/** After the store has failed, nothing is tried again in its slot before this. */
const PAUSE_AFTER_ERROR_MS = 1000;
/** Deliveries that are looked at together for such as no spec names. */
const MOST_AT_ONCE = 256;
/** Verdicts that are kept to be given again: some megabytes. */
const MOST_KEPT = 5000;
/** Of what verdicts are kept by, in UTF-16 units: refs are as long as their senders want. */
const LONGEST_KEY = 1000;
/** What still waits is looked at again after so long at the earliest, in milliseconds. */
const AGAIN_MS = 10_000;
/** Events that change more than what is deployed. */
const HAVE_THEIR_TURN: ReadonlySet<Event['kind']> = new Set([
  'check',
  'comment',
  'message-press',
  'installation',
  'pull_request',
]);

/** Turns stored deliveries into runs: those of a repository one after the other, in the order they came. */
export interface Intake extends Loop {
  replay: Replay;
  /**
   * What becomes of a delivery that decides nothing, so that it can be stored as processed. Undefined when there is more to it,
   * or when more than memory would have to be asked: then it has its turn.
   */
  settle(event: string, payload: Json, length: number): Promise<DeliveryOutcome | undefined>;
  /** Such a delivery, or one that has its turn now, was stored. */
  accepted(delivery: Omit<IncomingDelivery, 'payload'>): void;
}

export function createIntake(deps: {
  store: Store;
  catalog: Catalog;
  resolve: Resolve;
  mirrors: Pick<Mirrors, 'fetch' | 'standings'>;
  ordering: Pick<Ordering, 'overtaken'>;
  transitions: Transitions;
  /** Rolls back the specs for which a request to a hook says so. */
  rollBack: HookRollback;
  /** Does what the buttons of check runs ask for. */
  pressed: Pressed;
  /** Does what commands in comments ask for. */
  commented: Commented;
  whyNoPlan: WhyNoPlan;
  /** Whether steps run as another user than Mainsheet itself. Default: no. */
  stepsApart?: boolean;
  /** GitHub's API, without a slash at the end. */
  apiUrl: string;
  /** A delivery that a process took and stopped renewing is free again after this, in milliseconds. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}): Intake {
  const { store, catalog, transitions, clock, logger, news } = deps;
  const recognize = createRecognize({
    ...deps,
    repositories: store.repositories,
    snapshots: store.snapshots,
  });
  const judge = createJudge({ ...deps, recognize });
  const outcomeOfIdle = keepOutcomes();
  const closeIdle = createCloseIdle({ store, recognize, announce, clock });
  const makeRuns = createMakeRuns(deps);
  const judgeTogether = createJudgeTogether({ ...deps, inbox: store.inbox, recognize });
  const processDelivery = createProcessDelivery({
    ...deps,
    judge,
    judgeTogether,
    makeRuns,
    announce,
  });
  const slots = createSlots(PARALLEL, () => loop.wake());
  /** Repositories of deliveries that are worked on: one that was deferred may be due again meanwhile. */
  const busy = new Set<string>();
  const stopped = new AbortController();
  let ahead: Promise<void> | undefined;

  // Without one valid set of specs nothing can be said of a delivery: it waits instead of being judged by none.
  const isReady = () => catalog.current().loadedAt > 0;

  async function turn(signal: AbortSignal): Promise<boolean> {
    if (!isReady()) return false;
    // Others are not waited for until there are none of these: then a flood of them would hold up what is to be deployed.
    const more = await closeIdle();
    if (slots.room() === 0) return more;
    const claimed = await store.inbox.claim(clock.now(), deps.leaseMs, [...busy]);
    if (claimed === undefined) return more;
    const over = new AbortController();
    void slots.fill(work(claimed, signal)).then(() => over.abort());
    await clock.sleep(SLOW_MS, over.signal);
    return true;
  }

  async function work(claimed: KeptDelivery, signal: AbortSignal): Promise<void> {
    const { repository } = claimed.delivery;
    if (repository !== undefined) busy.add(repository);
    let isGroup = false;
    try {
      isGroup = await processDelivery(claimed, signal);
    } catch (error) {
      // The store failed, not the delivery: its lease ends and it is worked on again.
      const fields = {
        delivery: claimed.delivery.id,
        error: describeError(error),
        hint: hintOf(error),
      };
      logger.error(fields, 'delivery left open');
      await clock.sleep(PAUSE_AFTER_ERROR_MS, signal);
    } finally {
      if (repository !== undefined) {
        if (isGroup) void gatherMore(repository, signal);
        else busy.delete(repository);
      }
    }
  }

  /** Takes no slot: others go on meanwhile. */
  async function gatherMore(repository: string, signal: AbortSignal): Promise<void> {
    await clock.sleep(GATHER_MS, signal);
    busy.delete(repository);
    loop.wake();
  }

  /** While nothing else is to be done, git is on its way to the server before the delivery is stored: `resolve` waits for it. */
  function fetchAhead(event: Event): void {
    if (event.kind !== 'push' || event.deleted || busy.size > 0) return;
    ahead ??= deps.mirrors
      .fetch(event.repository, { signal: stopped.signal })
      // Then the delivery fetches for itself, and says why it cannot.
      .catch(() => undefined)
      .finally(() => (ahead = undefined));
  }

  /** Its sender has signed it, so that it is no stranger's noise. */
  function warnOf(delivery: string, event: string, { summary: reason }: DeliveryOutcome): void {
    logger.warn({ delivery, event, reason }, 'delivery cannot be read');
  }

  function announce(delivery: Delivery, outcome: DeliveryOutcome, changed: readonly Run[]): void {
    const { id, event, repository } = delivery;
    if (outcome.isUnreadable) warnOf(id, event, outcome);
    const made = changed.filter(({ state }) => state === 'queued' || state === 'blocked');
    const runs = made.map((run) => run.id);
    logger.info({ delivery: id, event, runs, summary: outcome.summary }, 'delivery processed');
    for (const run of changed) transitions.announce(run);
    news.publish({ kind: 'delivery', delivery: id, repository });
  }

  const loop = createLoop({ name: 'intake', turn, pollMs: POLL_MS, logger });
  // Also while the other waits for git.
  const idle = createLoop({
    name: 'idle deliveries',
    turn: async () => isReady() && (await closeIdle()),
    pollMs: POLL_MS,
    logger,
  });
  function wake(): void {
    idle.wake();
    loop.wake();
  }

  return {
    wake,
    async settle(event, payload, length) {
      if (!isReady() || length > LARGE) return undefined;
      const recognized = recognize.atOnce(event, payload);
      const outcome = recognized && (await outcomeOfIdle(recognized, payload));
      if (recognized !== undefined && outcome === undefined) fetchAhead(recognized.event);
      return outcome;
    },
    accepted({ id, event, repository, outcome }) {
      if (outcome === undefined) {
        idle.wake();
        // Of a repository that is worked on nothing is claimed before that is over, which wakes it.
        if (repository === undefined || !busy.has(repository.toLowerCase())) loop.wake();
        return;
      }
      if (outcome.isUnreadable) warnOf(id, event, outcome);
      logger.debug({ delivery: id, event, summary: outcome.summary }, 'delivery processed');
      news.publish({ kind: 'delivery', delivery: id, repository });
    },
    async run(signal) {
      await Promise.all([loop.run(signal), idle.run(signal)]);
      await slots.settled();
      stopped.abort();
      await ahead;
    },
    replay: createReplay({ store, judge, makeRuns, announce, clock }),
  };
}

/**
 * Closes what decides nothing: deliveries of which the event's kind or ref alone says that no spec names it. They change
 * nothing, so their order does not matter and git is not asked; many are closed in one transaction. Each is looked at once;
 * on PostgreSQL what still waits is looked at again, 10 to 30 seconds later, since of several processes the one that numbers its rows first may be the last to commit
 * them. Answers whether there may be more.
 */
type CloseIdle = () => Promise<boolean>;

function createCloseIdle(deps: {
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
async function outcomeOfIdle(
  recognized: Recognized,
  payload: Json,
): Promise<DeliveryOutcome | undefined> {
  const { event, candidates } = recognized;
  if (HAVE_THEIR_TURN.has(event.kind)) return undefined;
  if (candidates.some(({ spec }) => mayMatch(spec, event))) return undefined;
  return outcomeOf(await judgedBy(recognized, payload), new Map());
}

/** `outcomeOfIdle` that gives the same answer again for an event that the same specs cannot tell from an earlier one. */
function keepOutcomes(): typeof outcomeOfIdle {
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
  if (event.kind !== 'push' || !candidates.every(({ spec }) => looksAtRefAlone(spec)))
    return undefined;
  const { repository, formerly = [], ref, deleted, sha } = event;
  const key = JSON.stringify([ref, deleted || sha === undefined, repository, ...formerly]);
  return key.length > LONGEST_KEY ? undefined : key;
}
