import { newId } from '../../lib/ids.ts';
import type { Tables } from '../../store/index.ts';
import { planOwner, type PulledEvent } from '../../store/plans.ts';

/** Notes what became of a pull request, in the transaction that closes its delivery. One that is closed is left alone from then on. */
export async function notePull(
  { plans, outbox }: Pick<Tables, 'plans' | 'outbox'>,
  pull: PulledEvent,
  now: number,
): Promise<void> {
  const id = await plans.note(newId(now), pull, now);
  if (id !== undefined && !pull.isReady) {
    await outbox.abandon(planOwner(id), now, 'the pull request is closed, or a draft');
  }
}
