import { backoffDelay } from '../../lib/backoff.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  describeError,
  errorCode,
  hintOf,
  RetryableError,
  TerminalError,
} from '../../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Delivery, DeliveryOutcome } from '../../model/delivery.ts';
import type { Event, Json } from '../../model/event.ts';
import { PROTECTION } from '../../model/protection.ts';
import type { News } from '../../model/news.ts';
import type { Pause } from '../../model/pause.ts';
import type { Run } from '../../model/run.ts';
import type { Store, Tables } from '../../store/index.ts';
import { createOrdering, type Ordering } from '../../runs/ordering/ordering.ts';
import { moveOf, partOf, wasLeft, type ToldPush } from '../../model/push-history.ts';
import type { KeptDelivery, MissingRef } from '../../store/inbox.ts';
import { keepClaim } from '../keep-claim.ts';
import { outcomeOf, type Announce, type Judge, type Judged } from './judge.ts';
import type { MakeRuns } from './make-runs.ts';
import { notePull } from '../plans/note-pull.ts';
import type { Commented } from '../operator/comments.ts';
import type { Pressed } from '../operator/press.ts';
import { MissingTagError, NOT_THERE_YET } from './resolve.ts';
import type { JudgedPushes, JudgeTogether } from './together.ts';

const BACKOFF = { baseMs: 1000, maxMs: 5 * 60_000 };
/** With this many attempts a delivery has failed for about two minutes, and is deferred. */
const DEFER_AFTER = 8;
/**
 * What a delivery names may be there only later, since GitHub tells of it before git shows it everywhere. It is looked for
 * so long after the delivery came, in milliseconds, and more seldom the longer it takes.
 */
const PATIENCE_MS = 5 * 60_000;
const LOOK_AGAIN = { leastMs: 1000, mostMs: 30_000 };
const FOR_EARLIER = 'Waiting for earlier deliveries to be tried again';
/** With this many attempts the backoff has lasted about a day: what it waits for is not coming back. */
const MOST_ATTEMPTS = 300;
/** Nor before this, because deliveries that come later may use up its attempts sooner. */
const LEAST_PATIENCE_MS = 24 * 60 * 60_000;

/** A transaction that has taken so long takes in no further delivery: others wait for it. In milliseconds. */
const ENOUGH_MS = 20;

/**
 * Judges a claimed delivery and closes it, or puts it back to be tried again; also those that `JudgeTogether` judges together
 * with it, as many as nothing is wrong with. Answers whether there were such. Rejects only when the store fails.
 */
export type ProcessDelivery = (claimed: KeptDelivery, signal: AbortSignal) => Promise<boolean>;

export function createProcessDelivery(deps: {
  store: Store;
  judge: Judge;
  judgeTogether: JudgeTogether;
  ordering: Pick<Ordering, 'overtaken'>;
  makeRuns: MakeRuns;
  pressed: Pressed;
  commented: Commented;
  /** GitHub's API, without a slash at the end. */
  apiUrl: string;
  announce: Announce;
  /** A delivery that a process took and stopped renewing is free again after this, in milliseconds. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}): ProcessDelivery {
  const { store, judge, ordering, makeRuns, announce, pressed, clock, logger, news } = deps;
  const { failpoint = noFailpoint } = deps;

  async function processDelivery(claimed: KeptDelivery, signal: AbortSignal): Promise<boolean> {
    const { id, event: name, attempts } = claimed.delivery;
    let isPress = false;
    try {
      const { judged, overtaken, together } = await keepClaim(
        {
          clock,
          leaseMs: deps.leaseMs,
          renew: (until) => store.inbox.renew(claimed, until),
          signal,
        },
        async (held) => {
          const patient = ageOf(claimed) < PATIENCE_MS;
          const payload = JSON.parse(claimed.payload) as Json;
          // Another try is to see what has happened since the last.
          const since = attempts === 1 ? claimed.delivery.receivedAt : undefined;
          const group = attempts === 1 ? await deps.judgeTogether(claimed, held) : undefined;
          const judgement = group?.first ?? (await judge(name, payload, held, patient, since));
          const late = await overtakenBy(judgement, group, held);
          return { judged: judgement, overtaken: late, together: group };
        },
      );
      const { event } = judged;
      const isButton = event.kind === 'check' || event.kind === 'message-press';
      isPress = isButton || event.kind === 'comment';
      if (event.kind === PROTECTION && event.apiUrl !== deps.apiUrl.replace(/\/+$/, '')) {
        const reason = `the job of Actions waits for an answer at ${event.apiUrl}, which is not GITHUB_API_URL`;
        throw new TerminalError('foreign-callback', reason);
      }
      if (event.kind === 'comment') {
        announce(claimed.delivery, await deps.commented(claimed.delivery, event), []);
        return false;
      }
      if (isButton) {
        announce(claimed.delivery, await pressed(claimed.delivery, event), []);
        return false;
      }
      const following = together?.following.map((one) => one.judged) ?? [];
      if (await lettingOthersFirst(claimed, [judged, ...following])) return false;
      await record(claimed, judged, overtaken, together, signal);
      return together !== undefined;
    } catch (error) {
      if (signal.aborted) {
        await store.inbox.postpone(id, clock.now(), 'Interrupted by a shutdown', attempts);
      } else if (error instanceof TerminalError || isOverdue(claimed)) {
        await giveUp(claimed, error);
      } else {
        const reason = describeError(error);
        const isLate = error instanceof RetryableError && error.code === NOT_THERE_YET;
        const delay = isLate ? lookAgainIn(ageOf(claimed)) : backoffDelay(attempts, BACKOFF);
        logger.warn(
          { delivery: id, event: name, attempts, reason, retryInMs: delay },
          'delivery postponed',
        );
        const deferred = isLate || isPress || attempts >= DEFER_AFTER;
        const others = deferred ? '; later deliveries go on without it meanwhile' : '';
        const summary = `Trying again (attempt ${attempts} failed${others}): ${reason}`;
        await store.inbox.postpone(id, clock.now() + delay, summary, attempts, deferred);
      }
      return false;
    }
  }

  /** As `Ordering`: git is asked what is not known of the group. */
  async function overtakenBy(
    judged: Judged,
    group: JudgedPushes | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    if (group !== undefined) {
      try {
        const rules = createOrdering({ store, mirrors: group.known, clock });
        return await rules.overtaken(judged, signal);
      } catch (error) {
        if (errorCode(error) !== 'not-known') throw error;
      }
    }
    return await ordering.overtaken(judged, signal);
  }

  /**
   * What was deferred before this delivery, whose turn has come, may be readable again by now, and then comes first.
   * It is tried once more for each try of a delivery that deploys something, itself or by those that are taken in with it.
   */
  async function lettingOthersFirst(claimed: KeptDelivery, all: Judged[]): Promise<boolean> {
    const { id, attempts, outcome } = claimed.delivery;
    if (outcome?.summary === FOR_EARLIER) return false;
    const verdicts = all.flatMap((judged) => judged.verdicts);
    if (!verdicts.some(({ verdict }) => verdict.matched)) return false;
    const now = clock.now();
    if ((await store.inbox.recall(claimed.delivery, now)) === 0) return false;
    await store.inbox.postpone(id, now, FOR_EARLIER, attempts);
    return true;
  }

  async function record(
    claimed: KeptDelivery,
    judged: Judged,
    overtaken: ReadonlyMap<string, string>,
    together: JudgedPushes | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { delivery } = claimed;
    const missing = missingBranch(judged.event);
    const own = (tables: Tables) =>
      settle(tables, { delivery, judged, overtaken }, async (outcome) => {
        const { id, attempts } = delivery;
        return await tables.inbox.close(id, 'processed', outcome, clock.now(), attempts, missing);
      });
    failpoint('intake.before');
    if (together === undefined) {
      tell(await store.lazily(own));
    } else {
      const others = together.following.map((one) => behind(one, together, signal));
      await recordInOrder([own, ...others], signal);
    }
  }

  /**
   * In as few transactions as take no longer than is good. Rejects when the first one fails; where a later one fails, it and those
   * after it stay as they are, and each has a turn of its own.
   */
  async function recordInOrder(
    works: readonly ((tables: Tables) => Promise<Settled>)[],
    signal: AbortSignal,
  ): Promise<void> {
    for (let next = 0; next < works.length && !(next > 0 && signal.aborted);) {
      const { done, failure } = await store
        .inOrder(works.slice(next), ENOUGH_MS)
        .catch((error: unknown) => ({ done: [], failure: { error } }));
      if (next === 0 && done.length === 0) throw failure?.error;
      for (const settled of done) tell(settled);
      next += done.length;
      if (failure !== undefined) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** A delivery that came behind a claimed one: what its runs would take the place of is known when those before it have made theirs. */
  function behind(
    { waiting, judged }: JudgedPushes['following'][number],
    { known }: JudgedPushes,
    signal: AbortSignal,
  ): (tables: Tables) => Promise<Settled> {
    return async (tables) => {
      failpoint('intake.together');
      const rules = createOrdering({ store: tables, mirrors: known, clock });
      const overtaken = await rules.overtaken(judged, signal);
      const { delivery } = waiting;
      return await settle(tables, { delivery, judged, overtaken }, async (outcome) => {
        const closed = await tables.inbox.closeIdle(new Map([[waiting, outcome]]), clock.now());
        return closed.length > 0;
      });
    };
  }

  function tell({ delivery, outcome, changed, paused = [] }: Settled): void {
    failpoint('intake.after');
    announce(delivery, outcome, changed);
    for (const { name: lane, by, reason } of paused) {
      logger.info({ delivery: delivery.id, lane, by, reason }, 'lane paused after a rollback');
    }
  }

  /** Within one transaction: the runs, what they do to their lanes, their first callbacks, and the delivery's end. */
  async function settle(
    tables: Tables,
    { delivery, judged, overtaken }: JudgedDelivery,
    close: (outcome: DeliveryOutcome) => Promise<boolean>,
  ): Promise<Settled> {
    const { id } = delivery;
    const { event, verdicts } = judged;
    const found = verdicts.length > 0 ? await notePush(tables, id, event) : undefined;
    const made =
      found !== undefined
        ? { outcome: toldBefore(found, event), changed: [] }
        : await decide(tables, id, judged, overtaken);
    if (event.kind === 'installation') await tables.installations.note(event, clock.now());
    failpoint('intake.inside');
    if (!(await close(made.outcome))) {
      // Then these runs are not to be, and the transaction takes them back.
      throw new RetryableError('delivery-lost', 'another process has taken the delivery');
    }
    return { delivery, ...made };
  }

  async function decide(
    tables: Tables,
    delivery: string,
    judged: Judged,
    overtaken: ReadonlyMap<string, string>,
  ): Promise<Omit<Settled, 'delivery'>> {
    const { event, verdicts } = judged;
    const isPlanned = event.kind === 'pull_request' && event.noPlan === undefined;
    const planned = isPlanned ? await notePull(tables, event, clock.now()) : undefined;
    if (planned !== undefined && verdicts.length === 0) {
      return { outcome: { summary: planned, specs: [] }, changed: [] };
    }
    const made = await makeRuns(tables, { delivery, cause: 'event', overtaken }, judged);
    const outcome = outcomeOf(judged, made.bySpec, made.batched, made.refused);
    const summary = [outcome.summary, planned ?? []].flat().join('; ');
    return { outcome: { ...outcome, summary }, changed: made.changed, paused: made.paused };
  }

  /** Notes the move of a branch. Answers with the move that was found by looking, if this is one or a part of it. */
  async function notePush(tables: Tables, id: string, event: Event): Promise<ToldPush | undefined> {
    if (event.kind !== 'push' || event.branch === undefined) return undefined;
    const { repository, ref, standing } = event;
    const move = moveOf(event);
    await tables.pushes.lock(repository);
    const isShown = standing?.reached === true && standing.head !== move.before;
    const isProven = standing === undefined || isShown;
    const told = { repository, ref, ...move, delivery: id, found: false, seenAt: clock.now() };
    // Then what else is known of the branch says nothing of it.
    if (isProven && !(await tables.pushes.hasFound(repository, ref))) {
      await tables.pushes.record({ ...told, toldBy: undefined });
      return undefined;
    }
    const history = await tables.pushes.history(repository, ref);
    // The look that found it has noted it.
    if (history.pushes.some(({ delivery }) => delivery === id)) return undefined;
    const found = partOf(history, move, standing?.head);
    // Where git does not show it, the delivery alone is no proof that the branch ever was there: it is left to the next look.
    if (found === undefined && !isProven && !wasLeft(history, move)) return undefined;
    await tables.pushes.record({ ...told, toldBy: found?.delivery });
    return found;
  }

  const ageOf = ({ delivery }: KeptDelivery) => clock.now() - delivery.receivedAt;

  function isOverdue(claimed: KeptDelivery): boolean {
    return claimed.delivery.attempts >= MOST_ATTEMPTS && ageOf(claimed) >= LEAST_PATIENCE_MS;
  }

  async function giveUp(claimed: KeptDelivery, error: unknown): Promise<void> {
    const { id, event, attempts } = claimed.delivery;
    const outcome = { summary: `Not deployed: ${describeError(error)}`, specs: [] };
    const missing =
      error instanceof MissingTagError ? { ref: error.ref, sha: undefined } : undefined;
    await store.inbox.close(id, 'failed', outcome, clock.now(), attempts, missing);
    const hint = hintOf(error) ?? `try it again with: mainsheet replay ${id}`;
    logger.error(
      { delivery: id, event, attempts, error: describeError(error), hint },
      'delivery failed',
    );
    news.publish({ kind: 'delivery', delivery: id, repository: claimed.delivery.repository });
  }

  return processDelivery;
}

interface JudgedDelivery {
  delivery: Delivery;
  judged: Judged;
  overtaken: ReadonlyMap<string, string>;
}

/** What was committed of a delivery. */
interface Settled {
  delivery: Delivery;
  outcome: DeliveryOutcome;
  changed: Run[];
  /** What keeps lanes as they are after rollbacks. Left out: nothing. */
  paused?: Pause[];
}

/** What a workflow run was given up for. A push that was is found by looking where its branch is. */
function missingBranch(event: Event): MissingRef | undefined {
  if (event.kind !== 'workflow_run' || event.headIs !== 'neither') return undefined;
  return event.branch === undefined
    ? undefined
    : { ref: `refs/heads/${event.branch}`, sha: event.sha };
}

function toldBefore({ after, delivery }: ToldPush, event: Event): DeliveryOutcome {
  const isWhole = 'sha' in event && event.sha === after;
  const summary = isWhole
    ? `Not deployed again: delivery ${delivery} told of this push`
    : `Not deployed: superseded by ${after.slice(0, 7)}, which delivery ${delivery} told of together with this push`;
  return { summary, specs: [] };
}

/** Half as long as it has been waited for, so that it is found soon when it comes soon. */
function lookAgainIn(age: number): number {
  return Math.min(LOOK_AGAIN.mostMs, Math.max(LOOK_AGAIN.leastMs, Math.round(age / 2)));
}
