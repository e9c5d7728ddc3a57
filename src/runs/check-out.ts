import { backoffDelay } from '../lib/backoff.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, errorCode, MainsheetError, RetryableError } from '../lib/errors.ts';
import { isWayOutProblem } from '../lib/way-out.ts';
import type { Checkout } from '../git/checkouts.ts';
import type { Pipeline, PipelineDeps } from './pipeline-context.ts';

/** How long the checkout is tried again while GitHub cannot be reached, in milliseconds. */
const CHECKOUT_TIMEOUT_MS = 5 * 60_000;
const CHECKOUT_BACKOFF = { baseMs: 1000, maxMs: 30_000 };
/** GitHub tells of a pull request's commit before git shows it everywhere: so long after its run was made, in milliseconds, it is looked for again. */
const NOT_SHOWN_MS = 5 * 60_000;

/** What a run finds where it works. `deadline` by the clock's `elapsed`. */
interface CheckOutRequest {
  deadline: number;
  /** The work tree that steps were last done in, when it may be gone on with. */
  keep: string | undefined;
  /** Whether a step has begun before. */
  begun: boolean;
}

/**
 * The run's work tree, or why its revision is not to be deployed; undefined when the run is to stop. What may pass is tried
 * again for a while. Throws MainsheetError `checkout-timeout`, and as `Checkouts.prepare` does.
 */
export async function checkOut(
  deps: PipelineDeps,
  { run, spec, log, signal }: Pipeline,
  { deadline, keep, begun }: CheckOutRequest,
): Promise<Checkout | { superseded: string } | undefined> {
  const { lane, repository, sha } = run;
  const { clock } = deps;
  const until = Math.min(deadline, clock.elapsed() + CHECKOUT_TIMEOUT_MS);
  // The run's time is the checkout's too: time lost to git must not be told as a step's failure.
  const limit = AbortSignal.timeout(spec.timeoutMs);
  const bounded = AbortSignal.any([signal, limit]);
  log.say(-1, `Checking out ${repository} at ${sha}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const request = { lane, repository, sha, keep, user: deps.stepUser, signal: bounded };
      const started = Promise.withResolvers<void>();
      const prepared = deps.checkouts.prepare({ ...request, onStart: started.resolve });
      const whyNot = () => deps.ordering.whyNotToDeploy(run, begun, bounded);
      // Both at once, for no step starts before both are over, and the checkout first, which is more work. Of what is not to be
      // deployed nothing may be there any more.
      const [late, checkout] = await Promise.allSettled([
        Promise.race([started.promise, prepared]).then(whyNot, whyNot),
        prepared,
      ]);
      if (late.status === 'rejected') throw late.reason;
      if (late.value !== undefined) return { superseded: late.value };
      if (checkout.status === 'rejected') throw checkout.reason;
      return checkout.value;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (limit.aborted) {
        const reason = `the checkout took longer than the run's ${formatDuration(spec.timeoutMs)}`;
        throw new MainsheetError('checkout-timeout', reason, { cause: error });
      }
      const delay = backoffDelay(attempt, CHECKOUT_BACKOFF);
      const isEarly =
        run.event === 'pull_request' &&
        errorCode(error) === 'commit-missing' &&
        clock.now() - run.createdAt < NOT_SHOWN_MS;
      const hopeless = !isEarly && (!(error instanceof RetryableError) || isWayOutProblem(error));
      if (hopeless || clock.elapsed() + delay > until) throw error;
      log.say(-1, `${describeError(error)}; trying again in ${formatDuration(delay)}`);
      await clock.sleep(delay, signal);
      if (signal.aborted) return undefined;
    }
  }
}
