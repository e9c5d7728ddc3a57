import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Retention } from '../../store/retention.ts';

const DAY_MS = 86_400_000;
/**
 * GitHub sends a delivery again when it is asked to within three days, with the same id
 * (https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks), and its list of deliveries
 * once went back thirty. For so long, and a little more, ids stay known whatever else goes (G2).
 */
const IDS_MS = 35 * DAY_MS;
const DEAD_MS = 90 * DAY_MS;
const AUDIT_MS = 365 * DAY_MS;
const PUSHES_MS = 35 * DAY_MS;
/** A pull request that is told of later than that gets another comment. */
const PLANS_MS = 90 * DAY_MS;
/** Runs that have just ended stay although there are too many: people may be looking for them. */
const FRESH_MS = 2 * 3_600_000;

/** A batch is made as large as fits into this time, in milliseconds: nothing else is written meanwhile. */
const BATCH_MS = 25;
const SMALLEST_BATCH = 10;
const LARGEST_BATCH = 400;

/** How much is kept. */
export interface RetentionLimits {
  /** How long what is over stays, in milliseconds; 0: as long as the numbers below, and times of its own, allow. */
  ageMs: number;
  /** Deliveries that keep their payload, at most. */
  deliveries: number;
  /** Runs that stay with their logs, at most. */
  runs: number;
}

/** Takes what is too old or too much out of the store; ends early when `signal` aborts. */
export type Expire = (signal: AbortSignal) => Promise<void>;

/**
 * Works in small batches and rests after each for as long as it took, so that deliveries and runs go on meanwhile, however
 * much there is to remove. Several processes may do it at the same time.
 */
export function createExpire(deps: {
  retention: Retention;
  limits: RetentionLimits;
  clock: Clock;
  logger: Logger;
}): Expire {
  const { retention, clock, logger } = deps;
  const { ageMs, deliveries, runs } = deps.limits;

  return async (signal) => {
    const pace = createPace(clock, signal);
    const now = clock.now();
    const before = ageMs === 0 ? 0 : now - ageMs;
    // Without an age too: what has no number of its own would stay for ever, and what it keeps with it.
    const ago = (least: number) => now - Math.max(least, ageMs);
    const removed = {
      deadCallbacks: await pace.all((limit) => retention.deadCallbacks(ago(DEAD_MS), limit)),
      runs: await pace.through((after, limit) =>
        retention.runs({ before, count: runs, fresh: now - FRESH_MS }, after, limit),
      ),
      // After the runs, because a run keeps its delivery's payload.
      payloads: await pace.through((after, limit) =>
        retention.payloads({ before, count: deliveries }, now, after, limit),
      ),
      deliveries: await pace.all((limit) => retention.deliveries(ago(IDS_MS), limit)),
      snapshots: await pace.all((limit) => retention.snapshots(ago(2 * DAY_MS), limit)),
      audit: await pace.all((limit) => retention.audit(ago(AUDIT_MS), limit)),
      pushes: await pace.all((limit) => retention.pushes(now - PUSHES_MS, limit)),
      plans: await pace.all((limit) => retention.plans(ago(PLANS_MS), limit)),
      previews: await pace.all((limit) => retention.previews(ago(PLANS_MS), limit)),
    };
    while (await pace.once((limit) => retention.giveBack(limit)));
    if (Object.values(removed).some((count) => count > 0)) {
      logger.info(removed, 'expired rows removed');
    }
  };
}

/** Does batches of a size that the database manages in a short time, with rests between them. */
function createPace(clock: Clock, signal: AbortSignal) {
  let size = SMALLEST_BATCH;

  async function once<Result>(work: (limit: number) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    const began = performance.now();
    const result = await work(size);
    const took = performance.now() - began;
    if (took > BATCH_MS) size = Math.max(SMALLEST_BATCH, Math.trunc(size / 2));
    else size = Math.min(LARGEST_BATCH, size * 2);
    await clock.sleep(Math.min(1000, Math.ceil(took)), signal);
    return result;
  }

  return {
    once,
    /** Until a batch was not full. */
    async all(work: (limit: number) => Promise<number>): Promise<number> {
      let sum = 0;
      for (let isFull = true; isFull;) {
        isFull = await once(async (limit) => {
          const count = await work(limit);
          sum += count;
          return count >= limit;
        });
      }
      return sum;
    },
    /** From the oldest row on, until nothing old comes any more. */
    async through(
      work: (
        after: number,
        limit: number,
      ) => Promise<{ removed: number; last: number | undefined }>,
    ): Promise<number> {
      let sum = 0;
      for (let after: number | undefined = 0; after !== undefined;) {
        const from: number = after;
        const batch = await once((limit) => work(from, limit));
        sum += batch.removed;
        after = batch.last;
      }
      return sum;
    },
  };
}
