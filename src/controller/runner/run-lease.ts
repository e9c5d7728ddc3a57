import type { Clock } from '../../lib/clock.ts';
import { describeError, RetryableError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Run } from '../../model/run.ts';
import type { Interruption } from '../../runs/outcome.ts';
import type { Runs } from '../../store/runs.ts';

/** This process's claim on a running run: while it holds, no other process takes the run up. */
export interface RunLease {
  /** Aborts when the run is to stop: cancelled, interrupted, or taken up by another process. */
  signal: AbortSignal;
  /** Renews the lease and looks whether the run is to stop. Never rejects. */
  beat(): Promise<void>;
  interrupt(): void;
  /** Renews no more. */
  end(): void;
}

/** Renews the lease of a run that was claimed just now for `leaseMs`, three times in it. */
export function keepRunLease(
  deps: {
    runs: Pick<Runs, 'renew'>;
    holder: string;
    leaseMs: number;
    clock: Clock;
    logger: Logger;
  },
  run: Run,
): RunLease {
  const { holder, leaseMs, clock, logger } = deps;
  const controller = new AbortController();
  const abort = (why: Interruption) => controller.abort(why);
  let heldUntil = clock.now() + leaseMs;

  async function beat(): Promise<void> {
    try {
      const until = clock.now() + leaseMs;
      const now = await inTime(deps.runs.renew(run.id, holder, until));
      if (now === undefined) return abort({ kind: 'interrupt' });
      heldUntil = until;
      if (now.cancelRequested !== undefined) abort({ kind: 'cancel', reason: now.cancelRequested });
    } catch (error) {
      logger.warn(
        {
          run: run.id,
          error: describeError(error),
          hint: 'look at the database and its disk: if this goes on, the run is interrupted',
        },
        'lease could not be renewed',
      );
      // Its steps have to be gone before another process takes the run up.
      if (clock.now() >= heldUntil - leaseMs / 3) abort({ kind: 'interrupt' });
    }
  }

  /** A database that does not answer counts as one that is not there. */
  async function inTime<Answer>(asked: Promise<Answer>): Promise<Answer> {
    const answered = new AbortController();
    const late = clock.sleep(leaseMs / 3, answered.signal).then(() => {
      if (!answered.signal.aborted) throw new RetryableError('store-away', 'no answer in time');
      return undefined as never;
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      answered.abort();
    }
  }

  const heartbeat = setInterval(() => void beat(), leaseMs / 3);
  return {
    signal: controller.signal,
    beat,
    interrupt: () => abort({ kind: 'interrupt' }),
    end: () => clearInterval(heartbeat),
  };
}
