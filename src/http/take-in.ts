import type { Clock } from '../lib/clock.ts';
import { createDeadline } from '../lib/deadline.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import { ProblemError } from './problem.ts';

/**
 * GitHub gives up after 10 seconds (https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks#respond-within-10-seconds):
 * an answer after 8 still reaches it.
 */
const STORE_WITHIN_MS = 8000;

/**
 * Stores a delivery, and resolves when that is on the disk (G1): whether it is a new one, and else of which it is a copy. Throws
 * ProblemError 503 when the store fails, or takes longer than senders wait.
 */
export type TakeIn = (
  delivery: IncomingDelivery,
) => Promise<{ isNew: boolean; copyOf: string | undefined }>;

export function createTakeIn(deps: {
  accept: (delivery: IncomingDelivery) => Promise<boolean>;
  /** Of which delivery this one is a copy. */
  originalOf: (id: string) => Promise<string | undefined>;
  onAccepted: (delivery: Omit<IncomingDelivery, 'payload'>) => void;
  clock: Clock;
  logger: Logger;
}): TakeIn {
  const within = createDeadline(deps.clock, STORE_WITHIN_MS);

  async function store(
    stored: Promise<boolean>,
    delivery: Omit<IncomingDelivery, 'payload'>,
  ): Promise<boolean> {
    const accepted = stored.then((isNew) => {
      // Also when the sender has been told otherwise by then: what is stored is worked on.
      if (isNew) deps.onAccepted(delivery);
      return isNew;
    });
    try {
      return await within(accepted, 'the store did not answer');
    } catch (error) {
      deps.logger.error(
        { delivery: delivery.id, event: delivery.event, error: describeError(error) },
        'delivery could not be stored',
      );
      throw new ProblemError(503, 'not-stored', 'the delivery could not be stored', {
        cause: error,
        hint: 'redeliver it when Mainsheet is ready again; what was stored after all counts once',
        headers: { 'Retry-After': '10' },
      });
    }
  }

  async function answer(stored: Promise<boolean>, delivery: Omit<IncomingDelivery, 'payload'>) {
    const isNew = await store(stored, delivery);
    return { isNew, copyOf: isNew ? undefined : await deps.originalOf(delivery.id) };
  }

  return (delivery) => {
    // No function that waits for the disk has the payload: it would hold it that long.
    const { payload, ...rest } = delivery;
    return answer(deps.accept({ ...rest, payload }), rest);
  };
}
