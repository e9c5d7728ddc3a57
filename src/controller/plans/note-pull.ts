import { newId } from '../../lib/ids.ts';
import type { Tables } from '../../store/index.ts';
import { planKey, type PulledEvent } from '../../store/plans.ts';

/**
 * Notes what became of a pull request, in the transaction that closes its delivery, and answers what comes of it. One that is closed
 * is left alone from then on.
 */
export async function notePull(
  { plans, outbox }: Pick<Tables, 'plans' | 'outbox'>,
  pull: PulledEvent,
  now: number,
): Promise<string> {
  const name = `Pull request #${pull.number}`;
  const id = await plans.note(newId(now), pull, now);
  if (id === undefined) return `${name} was told of before as it is since`;
  if (pull.isReady) return `${name} is planned at ${pull.head.slice(0, 7)}`;
  await outbox.abandon(planKey(id), now, 'the pull request is closed, or a draft');
  return `${name} is left alone: it is closed, or a draft`;
}
