import { toEntry } from '../../callbacks/index.ts';
import type { PlanCheckCallback } from '../../callbacks/plan-check.ts';
import type { PlanCommentCallback } from '../../callbacks/plan-comment.ts';
import { backoffDelay } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { describeError, errorCode, hintOf, TerminalError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import { planKey, type ClaimedPlan } from '../../store/plans.ts';
import { keepClaim } from '../keep-claim.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { MakePlan } from './make-plan.ts';
import { failedText, nothingText, planText, type PlanText } from './plan-text.ts';

const POLL_MS = 2000;
const BACKOFF = { baseMs: 1000, maxMs: 10 * 60_000 };
/** With so many failures it has been tried for some hours. */
const MOST_FAILURES = 30;
/** With so many git has not shown the commit for about five minutes: it is not only too new. */
const MOST_MISSING = 9;

/**
 * Makes the plans of pull requests that are due, one after the other, and puts what they say into the outbox: a check run on the newest
 * commit, and a comment. What a pull request has become meanwhile makes the plan that is under way count for nothing.
 */
export function createPlanner(deps: {
  store: Store;
  catalog: Pick<Catalog, 'current'>;
  makePlan: MakePlan;
  /** As what GitHub is told: a check run needs an App. */
  feedback: 'app' | 'token' | undefined;
  publicUrl: string | undefined;
  leaseMs: number;
  clock: Clock;
  logger: Logger;
}): Loop {
  const { store, clock, logger } = deps;

  async function turn(signal: AbortSignal): Promise<boolean> {
    // Without one valid set of specs nothing can be said.
    if (deps.feedback === undefined || deps.catalog.current().loadedAt === 0) return false;
    const plan = await store.plans.claim(clock.now(), deps.leaseMs);
    if (plan === undefined) return false;
    const renew = (until: number) => store.plans.renew(plan, until);
    await keepClaim({ clock, leaseMs: deps.leaseMs, renew, signal }, (held) => work(plan, held));
    return true;
  }

  async function work(plan: ClaimedPlan, signal: AbortSignal): Promise<void> {
    const { repository, number } = plan.pull;
    const fields = { repository, pull: number, plan: plan.id };
    try {
      const made = await deps.makePlan(plan.pull, signal);
      await tell(plan, made && planText(made, deps));
      logger.info(fields, 'pull request planned');
    } catch (error) {
      const reason = describeError(error);
      if (signal.aborted) {
        await store.plans.postpone({ ...plan, failures: plan.failures - 1 }, clock.now());
      } else if (errorCode(error) === 'commit-missing' && plan.failures >= MOST_MISSING) {
        // Another event tells what it has become.
        await store.plans.finish(plan);
        logger.info({ ...fields, reason }, 'pull request has changed');
      } else if (
        (error instanceof TerminalError && error.code !== 'commit-missing') ||
        plan.failures >= MOST_FAILURES
      ) {
        logger.error(
          { ...fields, reason, hint: hintOf(error) },
          'pull request could not be planned',
        );
        await tell(plan, failedText(errorCode(error) ?? 'unknown'));
      } else {
        const delay = backoffDelay(plan.failures + 1, BACKOFF);
        logger.warn({ ...fields, reason, retryInMs: delay }, 'plan postponed');
        await store.plans.postpone(plan, clock.now() + delay);
      }
    }
  }

  /** Undefined: there is nothing to say, unless something was said before. */
  async function tell(plan: ClaimedPlan, said: PlanText | undefined): Promise<void> {
    await store.lazily(async (tables) => {
      if (!(await tables.plans.finish(plan))) return;
      const key = planKey(plan.id);
      const earlier = await tables.outbox.ofRun(key);
      const wasTold = await tables.outbox.hasNumber(key);
      const text = said ?? (wasTold || earlier.length > 0 ? nothingText(plan.pull) : undefined);
      if (text === undefined) return;
      await tables.outbox.forgetEnded(key);
      await add(tables, plan, text);
    });
  }

  async function add(tables: Tables, { id, pull }: ClaimedPlan, said: PlanText): Promise<void> {
    const { repository, number, head: sha } = pull;
    const { title, text, conclusion, annotations } = said;
    const base = { repository, plan: id, sha, text };
    const comment: PlanCommentCallback = { kind: 'plan-comment', ...base, pull: number };
    const check: PlanCheckCallback = {
      kind: 'plan-check',
      ...base,
      conclusion,
      title,
      annotations,
    };
    const callbacks = deps.feedback === 'app' ? [comment, check] : [comment];
    const entries = callbacks.map((callback) => toEntry(callback));
    await tables.outbox.add(planKey(id), entries, clock.now());
  }

  return createLoop({ name: 'plans', turn, pollMs: POLL_MS, logger });
}
