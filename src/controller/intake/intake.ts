import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf } from '../../lib/errors.ts';
import type { Failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Delivery, DeliveryOutcome } from '../../model/delivery.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Event, Json } from '../../model/event.ts';
import type { News } from '../../model/news.ts';
import type { Run } from '../../model/run.ts';
import type { Ordering } from '../../runs/ordering/ordering.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { KeptDelivery, IncomingDelivery } from '../../store/inbox.ts';
import type { Store } from '../../store/index.ts';
import { createCloseIdle, keepOutcomes } from './idle.ts';
import { createJudge, createRecognize } from './judge.ts';
import { createLoop, type Loop } from '../loop.ts';
import { createMakeRuns } from './make-runs.ts';
import { createProcessDelivery } from './process-delivery.ts';
import type { WhyNoPlan } from '../plans/wanted.ts';
import type { Commented } from '../operator/comments.ts';
import type { HookRollback } from '../operator/hook-rollback.ts';
import type { Pressed } from '../operator/press.ts';
import { createReplay, type Replay } from '../operator/replay.ts';
import type { Resolve } from './resolve.ts';
import { createSlots } from '../slots.ts';
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
