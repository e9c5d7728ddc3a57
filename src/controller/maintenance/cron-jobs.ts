import { schedule } from 'node-cron';
import { describeError, hintOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';

/** Something that is done at set times. */
export interface CronJob {
  name: string;
  /** Five or six cron fields, local time: https://nodecron.com */
  cron: string;
  /** Whether it is done once more at the start. */
  atStart?: boolean;
  /** Ends early when `signal` aborts. */
  act: (signal: AbortSignal) => Promise<void>;
}

/**
 * Runs cron jobs until `signal` aborts. A job that still runs is not started a second time; errors are logged.
 * The function that is returned resolves when, after the end, no job runs any more.
 */
export function startCronJobs(
  jobs: readonly CronJob[],
  logger: Logger,
  signal: AbortSignal,
): () => Promise<void> {
  const running = new Map<string, Promise<void>>();

  async function run({ name, act }: CronJob): Promise<void> {
    try {
      await act(signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.error(
        { job: name, error: describeError(error), hint: hintOf(error) },
        'cron job failed',
      );
    } finally {
      running.delete(name);
    }
  }

  function begin(job: CronJob): void {
    const { name } = job;
    if (signal.aborted || running.has(name)) return;
    // In the map before it has begun: what ends at once takes itself out again.
    running.set(
      name,
      Promise.resolve().then(() => run(job)),
    );
  }

  // A signal that has aborted already tells nothing any more, and the timers would never end.
  for (const job of signal.aborted ? [] : jobs) {
    const { name, cron } = job;
    const times = schedule(cron, () => begin(job), { name });
    signal.addEventListener('abort', () => void times.destroy(), { once: true });
    if (job.atStart) begin(job);
  }
  return async () => {
    await Promise.all(running.values());
  };
}
