import { backoffDelay } from '../lib/backoff.ts';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError, RetryableError, TerminalError } from '../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../lib/failpoint.ts';
import { newId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { parseEvent } from '../github/events.ts';
import type { Delivery, DeliveryOutcome } from '../model/delivery.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { Event, Json } from '../model/event.ts';
import type { News } from '../model/news.ts';
import type { Run, RunCause } from '../model/run.ts';
import { laterThan, type Order } from '../runs/order.ts';
import { laneEffects, planRun, supersededAsMade } from '../runs/plan.ts';
import type { Transitions } from '../runs/transition.ts';
import type { Catalog } from '../spec/catalog.ts';
import { matchSpec } from '../spec/match.ts';
import type { Store, Tables } from '../store/index.ts';
import type { NewRun } from '../store/runs.ts';
import { ASIDE_AFTER, type ClaimedDelivery } from '../store/inbox.ts';
import { hold } from './hold.ts';
import { outcomeOf, type Judged } from './judged.ts';
import { createLoop, type Loop } from './loop.ts';
import { isFound } from './push-payload.ts';
import type { Resolve } from './resolve.ts';

const BACKOFF = { baseMs: 1000, maxMs: 5 * 60_000 };
/** With this many attempts the backoff has lasted about a day: what it waits for is not coming back. */
const MOST_ATTEMPTS = 300;
/** Nor before this, because deliveries that come later may use up its attempts sooner. */
const LEAST_PATIENCE_MS = 24 * 60 * 60_000;
const POLL_MS = 2000;
/** A replay waits for git at most this long. */
const REPLAY_MS = 5 * 60_000;

/** Turns stored deliveries into runs, one after the other. */
export interface Intake extends Loop {
  /** Runs a stored delivery's payload against today's specs once more. Throws TerminalError `delivery-unknown`, `delivery-pending`, `delivery-forgotten`. */
  replay(delivery: string, actor: string): Promise<{ outcome: DeliveryOutcome; runs: Run[] }>;
}

export function createIntake(deps: {
  store: Store;
  catalog: Catalog;
  resolve: Resolve;
  order: Order;
  transitions: Transitions;
  /** A delivery that a process took and stopped renewing is free again after this, in milliseconds. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  /** Called when there are runs to take. */
  onRuns: () => void;
  failpoint?: Failpoint;
}): Intake {
  const { store, catalog, transitions, clock, logger, news, failpoint = noFailpoint } = deps;

  async function turn(signal: AbortSignal): Promise<boolean> {
    // Without one valid set of specs nothing can be said of a delivery: it waits instead of being judged by none.
    if (catalog.current().loadedAt === 0) return false;
    const claimed = await store.inbox.claim(clock.now(), deps.leaseMs);
    if (claimed === undefined) return false;
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
      if (attempts === 1 && (await lettingOthersFirst(claimed, judged))) return true;
      const twin = await findTwin(id, judged.event);
      if (twin !== undefined) {
        await closeAsTold(claimed, judged.event, twin);
        return true;
      }
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
    return true;
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

  async function judge(name: string, payload: Json, signal: AbortSignal): Promise<Judged> {
    const parsed = parseEvent(name, payload);
    const candidates =
      parsed.repository === undefined ? [] : catalog.forRepository(parsed.repository);
    const event = await deps.resolve(parsed, payload, candidates, signal);
    const verdicts = candidates.map((loaded) => ({
      loaded,
      verdict: matchSpec(loaded.spec, event, payload),
    }));
    return { event, verdicts };
  }

  /** The delivery that told of the same push: one of the two is GitHub's, the other was found by looking. */
  async function findTwin(id: string, event: Event): Promise<string | undefined> {
    if (event.kind !== 'push' || event.branch === undefined || event.sha === undefined) return;
    const other = await store.pushes.broughtTo(event.repository, event.ref, event.sha);
    return other !== undefined && other !== id && isFound(other) !== isFound(id)
      ? other
      : undefined;
  }

  async function closeAsTold(claimed: ClaimedDelivery, event: Event, twin: string): Promise<void> {
    const { id, attempts } = claimed.delivery;
    const outcome = {
      summary: `Not deployed again: delivery ${twin} told of this push`,
      specs: [],
    };
    await store.atomically(async (tables) => {
      await recordPush(tables, id, event);
      await tables.inbox.close(id, 'processed', outcome, clock.now(), attempts);
    });
    finish(claimed.delivery, outcome, []);
  }

  async function recordPush(tables: Tables, delivery: string, event: Event): Promise<void> {
    if (event.kind !== 'push' || event.branch === undefined || event.sha === undefined) return;
    const { repository, ref, before, sha } = event;
    const seenAt = clock.now();
    await tables.pushes.record({ repository, ref, before, after: sha, delivery, seenAt });
  }

  /**
   * By spec: the run that a new one would take the place of, though it has a newer revision than the event's, which came
   * late then (G4).
   */
  async function findOvertaken(
    { event, verdicts }: Judged,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Run>> {
    const overtaken = new Map<string, Run>();
    if (!('sha' in event) || event.sha === undefined) return overtaken;
    const { repository, sha } = event;
    for (const { loaded, verdict } of verdicts) {
      if (!verdict.matched) continue;
      const { concurrency, name } = loaded.spec;
      const active = await store.runs.active(concurrency.lane);
      const branch = 'branch' in event ? event.branch : undefined;
      const candidate = { cause: 'event', repository, branch, sha } as const;
      const next = {
        id: '',
        spec: name,
        sequence: Infinity,
        cause: 'event',
        state: 'queued',
      } as const;
      const { supersede, cancel } = laneEffects(next, active, concurrency);
      for (const displaced of [...cancel, ...supersede]) {
        const other = { run: displaced.id, sha: displaced.sha };
        const known = { order: deps.order, runs: store.runs };
        const later = await laterThan(known, candidate, other, signal).catch((error: unknown) => {
          // As in `createResolve`: the run cannot check anything out either, and GitHub hears why.
          if (!(error instanceof TerminalError)) throw error;
          return undefined;
        });
        if (later !== undefined) overtaken.set(name, displaced);
      }
    }
    return overtaken;
  }

  /** One transaction: the runs, what they do to their lanes, their first callbacks, and the delivery's end. */
  async function record(
    claimed: ClaimedDelivery,
    judged: Judged,
    overtaken: ReadonlyMap<string, Run>,
  ): Promise<void> {
    const { id, attempts } = claimed.delivery;
    const changed: Run[] = [];
    failpoint('intake.before');
    const outcome = await store.atomically(async (tables) => {
      const made = await makeRuns(
        tables,
        { delivery: id, cause: 'event', overtaken, late: attempts > ASIDE_AFTER },
        judged,
        changed,
      );
      failpoint('intake.inside');
      const result = outcomeOf(judged, made);
      if (judged.verdicts.length > 0) await recordPush(tables, id, judged.event);
      if (!(await tables.inbox.close(id, 'processed', result, clock.now(), attempts))) {
        // Then these runs are not to be, and the transaction takes them back.
        throw new RetryableError('delivery-lost', 'another process has taken the delivery');
      }
      return result;
    });
    failpoint('intake.after');
    finish(claimed.delivery, outcome, changed);
  }

  async function makeRuns(
    tables: Tables,
    origin: {
      delivery: string;
      cause: RunCause;
      overtaken: ReadonlyMap<string, Run>;
      /** Whether deliveries that came after it may have gone on without it. */
      late: boolean;
    },
    { event, verdicts }: Judged,
    changed: Run[],
  ): Promise<Map<string, Run>> {
    const made = new Map<string, Run>();
    for (const { loaded, verdict } of verdicts) {
      if (!verdict.matched || !('sha' in event) || event.sha === undefined) continue;
      const now = clock.now();
      const { delivery, cause } = origin;
      const seed = { delivery, cause, event, sha: event.sha };
      const planned = planRun(seed, loaded, newId(now), now);
      const placed = await place(tables, origin, planned, loaded);
      const [run, ...others] = await transitions.create(tables, placed, loaded);
      if (run === undefined) continue;
      made.set(loaded.spec.name, run);
      changed.push(run, ...others);
    }
    return made;
  }

  /** The planned run, or superseded as it is made, when it came too late (G4). */
  async function place(
    tables: Tables,
    origin: { overtaken: ReadonlyMap<string, Run>; late: boolean },
    planned: NewRun,
    { spec: { name, concurrency } }: LoadedSpec,
  ): Promise<NewRun> {
    const newer = origin.overtaken.get(name);
    if (newer !== undefined) return supersededAsMade(planned, newer);
    if (!origin.late || concurrency.queue === 'all') return planned;
    await tables.pauses.lock('to make runs');
    await tables.runs.lockLane(planned.lane);
    const later = await tables.runs.madeByLater(name, planned.lane, planned.delivery);
    return later === undefined || later.sha === planned.sha
      ? planned
      : supersededAsMade(planned, later, 'whose delivery came later but could be read sooner');
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

  function finish(delivery: Delivery, outcome: DeliveryOutcome, changed: Run[]): void {
    const { id, event, repository } = delivery;
    const runs = changed.filter((run) => run.state === 'queued').map((run) => run.id);
    logger.info({ delivery: id, event, runs, summary: outcome.summary }, 'delivery processed');
    for (const run of changed) transitions.announce(run);
    news.publish({ kind: 'delivery', delivery: id, repository });
    if (changed.length > 0) deps.onRuns();
  }

  const loop = createLoop({ name: 'intake', turn, pollMs: POLL_MS, logger });
  return {
    ...loop,
    async replay(delivery, actor) {
      const stored = await store.inbox.get(delivery);
      if (stored === undefined) {
        throw new TerminalError('delivery-unknown', `there is no delivery ${delivery}`);
      }
      // It would make its own run besides, as soon as it has its turn. What is closed never becomes pending again.
      if (stored.delivery.state === 'pending') {
        throw new TerminalError(
          'delivery-pending',
          `delivery ${delivery} has not been processed yet, so there is nothing to replay`,
          { hint: `it will be by itself; "mainsheet explain ${delivery}" says what it waits for` },
        );
      }
      if (stored.payload === '') {
        throw new TerminalError(
          'delivery-forgotten',
          `the payload of delivery ${delivery} is no longer kept`,
          { hint: 'push again; MAINSHEET_RETENTION says how long payloads are kept' },
        );
      }
      const payload = JSON.parse(stored.payload) as Json;
      const judged = await judge(stored.delivery.event, payload, AbortSignal.timeout(REPLAY_MS));
      const changed: Run[] = [];
      const { made, outcome } = await store.atomically(async (tables) => {
        const origin = { delivery, cause: 'replay', overtaken: new Map(), late: false } as const;
        const runs = await makeRuns(tables, origin, judged, changed);
        const result = outcomeOf(judged, runs);
        await tables.audit.record({
          at: clock.now(),
          actor,
          action: 'delivery.replay',
          subject: delivery,
          detail: result.summary,
        });
        return { made: runs, outcome: result };
      });
      finish(stored.delivery, outcome, changed);
      return { outcome, runs: [...made.values()] };
    },
  };
}
