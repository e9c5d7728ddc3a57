import { schedule } from 'node-cron';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** Something that is done at set times. */
export interface Appointment {
  name: string;
  /** Five or six cron fields, local time: https://nodecron.com */
  cron: string;
  act: () => Promise<void>;
}

/** Keeps appointments until `signal` aborts. One that is still under way is not started a second time; errors are logged. */
export function keepSchedule(
  appointments: readonly Appointment[],
  logger: Logger,
  signal: AbortSignal,
): void {
  for (const { name, cron, act } of appointments) {
    const appointment = schedule(
      cron,
      async () => {
        try {
          await act();
        } catch (error) {
          logger.error({ appointment: name, error: describeError(error) }, 'appointment failed');
        }
      },
      { name, noOverlap: true },
    );
    signal.addEventListener('abort', () => void appointment.destroy(), { once: true });
  }
}
