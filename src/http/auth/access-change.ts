import { ACCESS_EVENTS } from '../../github/check.ts';
import type { News } from '../../model/news.ts';
import type { IncomingDelivery } from '../../store/inbox.ts';

/** Those of them that name every repository that they are about. */
const OF_ONE = new Set(['member', 'repository']);

/** What a delivery says of the rights of people: all that is remembered of the repository, or of any, is to be asked again. */
export function accessChange({
  event,
  repository,
}: Pick<IncomingDelivery, 'event' | 'repository'>): (News & { kind: 'access' }) | undefined {
  if (!ACCESS_EVENTS.includes(event)) return undefined;
  return { kind: 'access', repository: OF_ONE.has(event) ? repository : undefined };
}
