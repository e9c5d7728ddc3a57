import type { IncomingDelivery } from '../store/inbox.ts';

/** A delivery by which Mainsheet tells itself of something. Those without a repository are in the queue of their event. */
export function ownDelivery(
  { id, event, repository }: { id: string; event: string; repository: string | undefined },
  payload: object,
  receivedAt: number,
): IncomingDelivery {
  return {
    id,
    event,
    action: undefined,
    repository,
    ...(repository === undefined ? { queue: event } : {}),
    payload: JSON.stringify(payload),
    receivedAt,
  };
}
