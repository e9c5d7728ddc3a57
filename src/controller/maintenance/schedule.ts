import { schedule } from 'node-cron';
import { describeError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';

/** Something that is done at set times. */
export interface Appointment {
  name: string;
  /** Five or six cron fields, local time: https://nodecron.com */
  cron: string;
  /** Whether it is done once more at the start. */
  atStart?: boolean;
  /** Ends early when `signal` aborts. */
  act: (signal: AbortSignal) => Promise<void>;
}

/**
 * Keeps appointments until `signal` aborts. One that is still under way is not started a second time; errors are logged.
 * What is returned resolves when, after the end, nothing is under way any more.
 */
export function keepSchedule(
  appointments: readonly Appointment[],
  logger: Logger,
  signal: AbortSignal,
): () => Promise<void> {
  const underWay = new Map<string, Promise<void>>();

  async function keep({ name, act }: Appointment): Promise<void> {
    try {
      await act(signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.error({ appointment: name, error: describeError(error) }, 'appointment failed');
    } finally {
      underWay.delete(name);
    }
  }

  function begin(appointment: Appointment): void {
    const { name } = appointment;
    if (signal.aborted || underWay.has(name)) return;
    // In the map before it has begun: what ends at once takes itself out again.
    underWay.set(
      name,
      Promise.resolve().then(() => keep(appointment)),
    );
  }

  // The end may have come before the beginning: then nobody would hear of it any more, and the times would never end.
  for (const appointment of signal.aborted ? [] : appointments) {
    const { name, cron } = appointment;
    const times = schedule(cron, () => begin(appointment), { name });
    signal.addEventListener('abort', () => void times.destroy(), { once: true });
    if (appointment.atStart) begin(appointment);
  }
  return async () => {
    await Promise.all(underWay.values());
  };
}
