import type { Intake } from '../controller/intake/intake.ts';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { createDeadline } from '../lib/deadline.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { News } from '../model/news.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import type { Store } from '../store/index.ts';
import { accessChange } from './auth/access-change.ts';
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
  store: Pick<Store, 'accept' | 'inbox'>;
  intake: Pick<Intake, 'accepted'>;
  news: Pick<Broadcast<News>, 'publish'>;
  clock: Clock;
  logger: Logger;
}): TakeIn {
  const { store, intake, news } = deps;
  const within = createDeadline(deps.clock, STORE_WITHIN_MS);

  function tell(delivery: Omit<IncomingDelivery, 'payload'>): void {
    intake.accepted(delivery);
    const change = accessChange(delivery);
    if (change !== undefined) news.publish(change);
  }

  async function wait(
    stored: Promise<boolean>,
    delivery: Omit<IncomingDelivery, 'payload'>,
  ): Promise<boolean> {
    const accepted = stored.then((isNew) => {
      // Also when the sender has been told otherwise by then: what is stored is worked on.
      if (isNew) tell(delivery);
      return isNew;
    });
    try {
      return await within(accepted, 'the store did not answer');
    } catch (error) {
      deps.logger.error(
        {
          delivery: delivery.id,
          event: delivery.event,
          error: describeError(error),
          hint:
            hintOf(error) ?? 'look at the database and its disk; the sender was told to come again',
        },
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
    if (await wait(stored, delivery)) return { isNew: true, copyOf: undefined };
    return { isNew: false, copyOf: (await store.inbox.get(delivery.id))?.delivery.copyOf };
  }

  return (delivery) => {
    // No function that waits for the disk has the payload: it would hold it that long.
    const { payload, ...rest } = delivery;
    return answer(store.accept({ ...rest, payload }), rest);
  };
}
