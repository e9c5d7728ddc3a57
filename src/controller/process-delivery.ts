import { backoffDelay } from '../lib/backoff.ts';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError, RetryableError, TerminalError } from '../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../lib/failpoint.ts';
import type { Logger } from '../lib/logger.ts';
import type { DeliveryOutcome } from '../model/delivery.ts';
import type { Event, Json } from '../model/event.ts';
import type { News } from '../model/news.ts';
import type { Run } from '../model/run.ts';
import type { Store, Tables } from '../store/index.ts';
import { ASIDE_AFTER, type ClaimedDelivery } from '../store/inbox.ts';
import { hold } from './hold.ts';
import type { Judge } from './judge.ts';
import { outcomeOf, type Announce, type Judged } from './judged.ts';
import type { MakeRuns } from './make-runs.ts';
import type { FindOvertaken, Overtaking } from './overtaken.ts';
import { isFound } from './push-payload.ts';

const BACKOFF = { baseMs: 1000, maxMs: 5 * 60_000 };
/** With this many attempts the backoff has lasted about a day: what it waits for is not coming back. */
const MOST_ATTEMPTS = 300;
/** Nor before this, because deliveries that come later may use up its attempts sooner. */
const LEAST_PATIENCE_MS = 24 * 60 * 60_000;

/**
 * Judges a claimed delivery and closes it, or puts it back to be tried again. Rejects only when the store fails.
 */
export type ProcessDelivery = (claimed: ClaimedDelivery, signal: AbortSignal) => Promise<void>;

export function createProcessDelivery(deps: {
  store: Store;
  judge: Judge;
  findOvertaken: FindOvertaken;
  makeRuns: MakeRuns;
  announce: Announce;
  /** A delivery that a process took and stopped renewing is free again after this, in milliseconds. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}): ProcessDelivery {
  const { store, judge, findOvertaken, makeRuns, announce, clock, logger, news } = deps;
  const { failpoint = noFailpoint } = deps;

  async function processDelivery(claimed: ClaimedDelivery, signal: AbortSignal): Promise<void> {
    const { id, event: name, attempts } = claimed.delivery;
    try {
      const { judged, overtaken } = await hold(
        {
          clock,
          leaseMs: deps.leaseMs,
          renew: (until) => store.inbox.renew(claimed, until),
          signal,
        },
        async (held) => {
          const judgement = await judge(name, JSON.parse(claimed.payload) as Json, held);
          return { judged: judgement, overtaken: await findOvertaken(judgement, held) };
        },
      );
      if (attempts === 1 && (await lettingOthersFirst(claimed, judged))) return;
      await record(claimed, judged, overtaken);
    } catch (error) {
      if (signal.aborted) {
        await store.inbox.postpone(id, clock.now(), 'Interrupted by a shutdown', attempts);
      } else if (error instanceof TerminalError || isOverdue(claimed)) {
        await giveUp(claimed, error);
      } else {
        const reason = describeError(error);
        const delay = backoffDelay(attempts, BACKOFF);
        logger.warn(
          { delivery: id, event: name, attempts, reason, retryInMs: delay },
          'delivery postponed',
        );
        const aside = attempts < ASIDE_AFTER ? '' : '; later deliveries go on without it meanwhile';
        const summary = `Trying again (attempt ${attempts} failed${aside}): ${reason}`;
        await store.inbox.postpone(id, clock.now() + delay, summary, attempts);
      }
    }
  }

  /**
   * What had stepped aside before this delivery, whose turn has come, may be readable again by now, and then comes first.
   * It is tried once more for each delivery that deploys something.
   */
  async function lettingOthersFirst(claimed: ClaimedDelivery, judged: Judged): Promise<boolean> {
    const { id, attempts } = claimed.delivery;
    if (!judged.verdicts.some(({ verdict }) => verdict.matched)) return false;
    const now = clock.now();
    if ((await store.inbox.recall(claimed.delivery, now)) === 0) return false;
    await store.inbox.postpone(
      id,
      now,
      'Waiting for earlier deliveries to be tried again',
      attempts,
    );
    return true;
  }

  /** One transaction: the runs, what they do to their lanes, their first callbacks, and the delivery's end. */
  async function record(
    claimed: ClaimedDelivery,
    judged: Judged,
    overtaken: ReadonlyMap<string, Overtaking>,
  ): Promise<void> {
    const { id, attempts } = claimed.delivery;
    failpoint('intake.before');
    const { outcome, changed } = await store.atomically(async (tables) => {
      const twin = judged.verdicts.length > 0 && (await notePush(tables, id, judged.event));
      const made = twin
        ? { outcome: toldBy(twin), changed: [] }
        : await decide(tables, id, judged, overtaken);
      failpoint('intake.inside');
      if (!(await tables.inbox.close(id, 'processed', made.outcome, clock.now(), attempts))) {
        // Then these runs are not to be, and the transaction takes them back.
        throw new RetryableError('delivery-lost', 'another process has taken the delivery');
      }
      return made;
    });
    failpoint('intake.after');
    announce(claimed.delivery, outcome, changed);
  }

  async function decide(
    tables: Tables,
    delivery: string,
    judged: Judged,
    overtaken: ReadonlyMap<string, Overtaking>,
  ): Promise<{ outcome: DeliveryOutcome; changed: Run[] }> {
    const made = await makeRuns(tables, { delivery, cause: 'event', overtaken }, judged);
    return { outcome: outcomeOf(judged, made.bySpec), changed: made.changed };
  }

  /**
   * Notes where the branch is now. Answers with the delivery that told of the same push before, if one did: one of the two is
   * GitHub's, the other was found by looking.
   */
  async function notePush(tables: Tables, id: string, event: Event): Promise<string | undefined> {
    if (event.kind !== 'push' || event.branch === undefined || event.sha === undefined) return;
    const { repository, ref, before, sha } = event;
    await tables.pushes.lock(repository);
    const other = await tables.pushes.broughtTo(repository, ref, sha);
    const seenAt = clock.now();
    await tables.pushes.record({ repository, ref, before, after: sha, delivery: id, seenAt });
    if (other === undefined || other === id || isFound(other) === isFound(id)) return;
    return other;
  }

  function isOverdue({ delivery: { attempts, receivedAt } }: ClaimedDelivery): boolean {
    return attempts >= MOST_ATTEMPTS && clock.now() - receivedAt >= LEAST_PATIENCE_MS;
  }

  async function giveUp(claimed: ClaimedDelivery, error: unknown): Promise<void> {
    const { id, event, attempts } = claimed.delivery;
    const outcome = { summary: `Not deployed: ${describeError(error)}`, specs: [] };
    await store.inbox.close(id, 'failed', outcome, clock.now(), attempts);
    logger.error({ delivery: id, event, attempts, error: describeError(error) }, 'delivery failed');
    news.publish({ kind: 'delivery', delivery: id, repository: claimed.delivery.repository });
  }

  return processDelivery;
}

function toldBy(twin: string): DeliveryOutcome {
  return { summary: `Not deployed again: delivery ${twin} told of this push`, specs: [] };
}
